//! Two servers on hyper, each on a tokio runtime of one thread.

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::{fs, future, io};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tower_http::services::ServeDir;

/// A server on hyper that is running.
pub struct Peer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Peer {
    pub const NAMES: [&str; 2] = ["hyper_read", "tower_http"];

    /// Starts the peer called `name` on a thread, which inherits the core.
    pub fn start(name: &str, root: &Path) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (root, reads) = (root.to_owned(), name == "hyper_read");
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let files = TowerToHyperService::new(ServeDir::new(&root));
                let root: Arc<Path> = root.into();
                let read = service_fn(move |request: Request<Incoming>| {
                    let path = root.join(request.uri().path().trim_start_matches('/'));
                    future::ready(fs::read(path).map(|file| Response::new(full(file))))
                });
                let serving = if reads {
                    tokio::spawn(serve(listener, read))
                } else {
                    tokio::spawn(serve(listener, files))
                };
                let _ = stopped.await; // an error, because the sender is dropped
                if serving.is_finished() {
                    return serving.await.expect("the peer does not panic");
                }
                Ok(())
            })
        };
        let thread = thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().expect("the peer does not panic");
            ended.expect("the peer serves until it is stopped");
        }
    }
}

fn full(file: Vec<u8>) -> Full<Bytes> {
    Full::new(file.into())
}

/// Accepts connections and serves each of them on a task.
async fn serve<S, B>(listener: TcpListener, service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async {
            // Ends when the client closes. What fails before that fails the client, too.
            let _ = connection.await;
        });
    }
}
