//! A way to a member that can be cut.

use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Forwards connections until they are cut.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub address: String,
    open: Arc<Mutex<JoinSet<()>>>,
}

impl Proxy {
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Arc::new(Mutex::new(JoinSet::new()));
        let proxy = Self { address, open: open.clone() };
        let target = target.to_owned();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let target = target.clone();
                open.lock().unwrap().spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(target).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        proxy
    }

    /// Cuts every connection; new ones are forwarded again.
    pub fn cut(&self) {
        self.open.lock().unwrap().abort_all();
    }
}
