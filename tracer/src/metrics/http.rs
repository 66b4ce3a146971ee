//! Answers GET requests: /metrics, /readyz, /healthz. Bounded in clients, time and size.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::families::Export;
use super::health::{self, Health};

/// A client that has not sent its request and read the answer by then is hung up on.
const MAX_CLIENT_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request.
const MAX_REQUEST: usize = 16 << 10;

/// Answers one client, which has this place until then.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    export: Arc<Export>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &export))));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(MAX_CLIENT_TIME).max_buf_size(MAX_REQUEST).keep_alive(false);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    // A client that hangs up or talks nonsense is its own problem.
    let _ = timeout(MAX_CLIENT_TIME, connection).await;
}

fn answer(request: &Request<Incoming>, export: &Export) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => match export.text(true) {
            Ok(text) => {
                let mut response = response(StatusCode::OK, text);
                let kind = hyper::header::HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        "/readyz" => state(health::ready(&export.board)),
        "/healthz" => state(health::healthy(&export.board, Instant::now())),
        "/" => response(StatusCode::OK, "snatrace: /metrics, /readyz, /healthz\n".to_owned()),
        _ => response(StatusCode::NOT_FOUND, "try /metrics, /readyz or /healthz\n".to_owned()),
    }
}

fn state(health: Health) -> Response<Full<Bytes>> {
    match health {
        Ok(text) => response(StatusCode::OK, text.to_owned()),
        Err(text) => response(StatusCode::SERVICE_UNAVAILABLE, text),
    }
}

fn response(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
