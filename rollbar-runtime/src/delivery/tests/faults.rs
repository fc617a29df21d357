//! Servers, networks and proxies that fail.

use super::server::{Answer, Server};
use super::*;

/// The kind of the error that one try ends with.
async fn kind(transport: &HttpTransport) -> TransportErrorKind {
    let payload = Payload::new(Uuid::new_v4(), &b"{}"[..]);
    transport.send(&payload).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    for answer in [Answer::Reset, Answer::Close, Answer::ResetMidBody, Answer::Garbage] {
        let server = Server::of(&[answer.clone(), answer.clone(), Answer::status(200)]).await;
        assert_eq!(delivery(&server).deliver(item(100_000)).await, Outcome::Sent, "{answer:?}");
        assert_eq!(server.requests().len(), 3);

        let server = Server::of(std::slice::from_ref(&answer)).await;
        assert_eq!(
            kind(&transport(&server.url(), Proxy::Off, Duration::from_secs(10))).await,
            TransportErrorKind::ConnectionReset,
            "{answer:?}"
        );
        let outcome = delivery(&server).deliver(item(1)).await;
        assert!(matches!(outcome, Outcome::Undelivered(_)), "{answer:?} {outcome:?}");
        assert_eq!(server.requests().len(), 5, "one, and then one try and three more");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_hold_the_sender() {
    let server = Server::of(&[Answer::Silence]).await;
    let delivery = impatient(&server);
    assert!(matches!(delivery.deliver(item(1)).await, Outcome::Undelivered(_)));
    assert_eq!(server.requests().len(), 4);
    let patience = Duration::from_millis(50);
    assert_eq!(kind(&transport(&server.url(), Proxy::Off, patience)).await, TransportErrorKind::Timeout);
}

#[tokio::test]
async fn a_server_that_does_not_read_does_not_hold_the_sender() {
    // The system accepts the connection, and then nobody reads from it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let transport = transport(&url, Proxy::Off, Duration::from_millis(100));
    let settings = DeliverySettings { retries: 0, max_bytes: 32 << 20, ..settings() };
    let delivery = Delivery::new(settings, Arc::new(transport));
    // More than the buffers of the system hold.
    assert!(matches!(delivery.deliver(item(16 << 20)).await, Outcome::Undelivered(_)));
}

#[tokio::test]
async fn an_answer_that_is_whole_needs_no_end() {
    let server = Server::of(&[Answer::SlowClose]).await;
    assert_eq!(delivery(&server).deliver(item(1)).await, Outcome::Sent);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn of_a_large_answer_only_the_start_is_read() {
    let answer = Answer::json(422, &format!("{{\"err\":1,\"message\":\"{}\"}}", "x".repeat(1_000_000)));
    let server = Server::of(&[answer]).await;
    let transport = transport(&server.url(), Proxy::Off, Duration::from_secs(10));
    let payload = Payload::new(Uuid::new_v4(), &b"{}"[..]);
    let answer = transport.send(&payload).await.unwrap();
    assert_eq!(answer.body.len(), crate::transport::MAX_ANSWER_BYTES);
    assert_eq!(delivery(&server).deliver(item(1)).await, Outcome::Dropped(DropCause::Refused));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        kind(&transport(&url, Proxy::Off, Duration::from_secs(10))).await,
        TransportErrorKind::ConnectionRefused
    );
    assert!(matches!(delivery_to(&url).deliver(item(1)).await, Outcome::Undelivered(_)));
}

#[tokio::test]
async fn a_name_without_an_address_is_told_by_its_kind() {
    // A label of more than 63 bytes is refused by the system itself: nobody is asked.
    let url = format!("http://{}.invalid", "a".repeat(64));
    assert_eq!(
        kind(&transport(&url, Proxy::Off, Duration::from_secs(10))).await,
        TransportErrorKind::DnsFailure
    );
}

#[tokio::test]
async fn what_another_try_would_not_change_is_dropped_at_once() {
    struct Refusing(TransportErrorKind, AtomicU64);
    impl Transport for Refusing {
        fn send<'a>(
            &'a self,
            _: &'a Payload,
        ) -> crate::transport::BoxFuture<'a, Result<Response, TransportError>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Err(TransportError::new(self.0)) })
        }
    }
    for kind in [TransportErrorKind::TlsBadCertificate, TransportErrorKind::UnsupportedScheme] {
        let transport = Arc::new(Refusing(kind, AtomicU64::new(0)));
        let delivery = Delivery::new(settings(), transport.clone());
        assert_eq!(delivery.deliver(item(1)).await, Outcome::Dropped(DropCause::Transport(kind)));
        assert_eq!(transport.1.load(Ordering::Relaxed), 1);
        assert!(!kind.is_transient());
    }
}

#[tokio::test]
async fn a_proxy_gets_its_password_and_its_errors_are_understood() {
    for (answer, outcome) in [
        (Answer::status(200), Outcome::Sent),
        (Answer::html(403), Outcome::Dropped(DropCause::Refused)),
        (Answer::html(407), Outcome::Dropped(DropCause::Refused)),
    ] {
        let proxy = Server::of(&[answer]).await;
        let url = format!("http://ada:s%40cret@{}", proxy.address);
        let transport = transport("http://rollbar.invalid", Proxy::Url(url), Duration::from_secs(10));
        let delivery = Delivery::new(settings(), Arc::new(transport));
        assert_eq!(delivery.deliver(item(1)).await, outcome);
        let request = &proxy.requests()[0];
        assert_eq!(request.line, "POST http://rollbar.invalid/api/1/item/ HTTP/1.1");
        // base64 of `ada:s@cret`.
        assert_eq!(request.header("proxy-authorization"), Some("Basic YWRhOnNAY3JldA=="));
        assert_eq!(delivery.is_off(), None);
    }
    let proxy = Server::of(&[Answer::html(502)]).await;
    let transport = transport("http://rollbar.invalid", Proxy::Url(proxy.url()), Duration::from_secs(10));
    let delivery = Delivery::new(settings(), Arc::new(transport));
    assert!(matches!(delivery.deliver(item(1)).await, Outcome::Undelivered(_)));
    assert_eq!(proxy.requests().len(), 4);
}

#[test]
fn a_setting_that_cannot_work_is_refused_without_repeating_a_secret() {
    let with = |token: &str, proxy: &str| {
        let endpoint = "http://127.0.0.1:1".parse().unwrap();
        let (token, proxy) = (token.to_owned(), Proxy::Url(proxy.to_owned()));
        let settings = HttpSettings { endpoint, token, proxy, ..HttpSettings::default() };
        HttpTransport::new(&settings).map(drop).unwrap_err().to_string()
    };
    for proxy in
        ["", "ada:hunter2@proxy:3128", "socks5://ada:hunter2@proxy", "http://ada:hunter2@:1", "http://"]
    {
        let error = with(TOKEN, proxy);
        assert!(error.contains("http://user:password@") && !error.contains("hunter2"), "{error}");
    }
    let error = with("hunter2\n", "http://proxy:1");
    assert!(error.contains("32 hexadecimal digits") && !error.contains("hunter2"), "{error}");
}

#[cfg(feature = "rustls")]
mod tls {
    use super::*;

    #[tokio::test]
    async fn a_tunnel_that_the_proxy_refuses_is_tried_again() {
        for answer in [Answer::html(502), Answer::html(407)] {
            let proxy = Server::of(&[answer]).await;
            let transport =
                transport("https://rollbar.invalid", Proxy::Url(proxy.url()), Duration::from_secs(10));
            assert_eq!(kind(&transport).await, TransportErrorKind::Unreachable);
            assert_eq!(proxy.requests()[0].line, "CONNECT rollbar.invalid:443 HTTP/1.1");
            assert_eq!(proxy.requests()[0].header("x-rollbar-access-token"), None);
        }
    }

    #[tokio::test]
    async fn what_is_no_tls_is_told_from_a_bad_certificate() {
        let server = Server::of(&[Answer::status(200)]).await;
        let url = format!("https://{}", server.address);
        // The other side reads our greeting as a request that never ends, or closes.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    .await;
            }
        });
        assert_eq!(
            kind(&transport(&plain, Proxy::Off, Duration::from_secs(10))).await,
            TransportErrorKind::TlsHandshake
        );
        assert_eq!(
            kind(&transport(&url, Proxy::Off, Duration::from_millis(100))).await,
            TransportErrorKind::Timeout
        );
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_vouches_for_is_refused_for_good() {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};

        let certificate = CertificateDer::from_slice(include_bytes!("certificate.der"));
        let key = PrivateKeyDer::try_from(&include_bytes!("key.der")[..]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        // It ends with the process: rustls' own streams block.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let _ = connection.complete_io(&mut stream.unwrap());
            }
        });
        let transport = transport(&url, Proxy::Off, Duration::from_secs(10));
        assert_eq!(kind(&transport).await, TransportErrorKind::TlsBadCertificate);
        let delivery = Delivery::new(settings(), Arc::new(transport));
        let dropped = Outcome::Dropped(DropCause::Transport(TransportErrorKind::TlsBadCertificate));
        assert_eq!(delivery.deliver(item(1)).await, dropped);
        assert!(
            rustls::crypto::CryptoProvider::get_default().is_none(),
            "the process's provider is not ours to set"
        );
    }
}
