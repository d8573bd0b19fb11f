mod scaling;
mod steps;
mod world;

mod ending;
