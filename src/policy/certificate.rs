//! Policies about certificates: `authentication-certificate` shows one to the backend, and
//! `validate-client-certificate` judges the one that the client showed.

pub mod shown;
pub mod judged;
