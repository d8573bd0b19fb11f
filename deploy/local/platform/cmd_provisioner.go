package main

import "errors"

func provision(args []string) error { return errors.New("not here yet") }
