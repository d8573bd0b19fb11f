//! Commands that are still running: what they ask, and what happens before they are answered.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use crate::support::Instance;

/// A command of the program that an administrator has started.
pub struct Started {
    process: Child,
    stdout: ChildStdout,
    stderr: BufReader<ChildStderr>,
    said: String,
    complained: String,
}

impl Started {
    /// Starts it.
    pub fn new(instance: &Instance, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_openclaw-tenant-operator"))
            .args(arguments)
            .env("KUBECONFIG", instance.fact("/kubeconfig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = process.stdout.take().expect("what it says");
        let stderr = BufReader::new(process.stderr.take().expect("what it complains about"));
        Self { process, stdout, stderr, said: String::new(), complained: String::new() }
    }

    /// Reads until it asks whether that is meant.
    pub fn asks(&mut self) {
        let mut byte = [0];
        while !self.said.ends_with("Type yes to go on: ") {
            let read = self.stdout.read(&mut byte).expect("its output");
            assert_ne!(read, 0, "it has ended without asking: {:?}", self.ended());
            self.said.push(char::from(byte[0]));
        }
    }

    /// Reads until it says what it waits for.
    pub fn waits(&mut self) {
        while !self.complained.contains("Waiting ") {
            let read = self.stderr.read_line(&mut self.complained).expect("its output");
            assert_ne!(read, 0, "it has ended without waiting: {}", self.complained);
        }
    }

    /// Answers, and waits for its end: whether it succeeded, what it said, and what it complained about.
    pub fn answered(&mut self, answer: &str) -> (bool, String, String) {
        let mut stdin = self.process.stdin.take().expect("its input");
        stdin.write_all(answer.as_bytes()).expect("an answer");
        drop(stdin);
        self.ended()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> (bool, String, String) {
        drop(self.process.stdin.take());
        self.stdout.read_to_string(&mut self.said).expect("its output");
        self.stderr.read_to_string(&mut self.complained).expect("its output");
        let ok = self.process.wait().expect("its end").success();
        (ok, self.said.clone(), self.complained.clone())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
