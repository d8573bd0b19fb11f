mod clouding;
mod listing;
mod preparing;
mod reporting;
mod world;
