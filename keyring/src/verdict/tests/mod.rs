//! Members of flesh and blood: machines that are driven through simulated time against a service that answers as told.

mod errors;
mod rounds;
mod rules;
mod scene;
mod simulation;
