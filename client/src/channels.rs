//! One connection to each member, opened when it is first needed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tonic::transport::{Channel, Endpoint};

use crate::{ClientOptions, Error, Result};

/// Most connections kept. A client meets more addresses only where the membership changes for ever.
const MAX_CHANNELS: usize = 256;

/// The connections by address.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    open: Mutex<HashMap<String, Channel>>,
}

impl Channels {
    /// The connection to `address` (`host:port`). It is made, and made again after it was lost, by its next use.
    /// Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the address is no part of a URI.
    pub(crate) fn get(&self, address: &str, options: &ClientOptions) -> Result<Channel> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = open.get(address) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Error::Invalid(format!("`{address}` is no endpoint: {error}")))?
            .connect_timeout(options.connect_timeout)
            .http2_keep_alive_interval(options.keep_alive)
            .keep_alive_timeout(options.keep_alive)
            .http2_adaptive_window(true)
            .tcp_nodelay(true);
        if open.len() >= MAX_CHANNELS {
            open.clear();
        }
        let channel = endpoint.connect_lazy();
        open.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}
