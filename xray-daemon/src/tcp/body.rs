//! The body of a request, read into bounded memory and in bounded time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest that nothing of a body may come.
const IDLE: Duration = Duration::from_secs(10);

/// The longest that a body may take in all.
const WHOLE: Duration = Duration::from_secs(60);

/// The most that is read and thrown away of a body that is too large, so that the client gets to read why: most send
/// all of it first, and an answer that is followed by a reset is lost. 64 MiB.
const DISCARDED: usize = 64 << 20;

/// What each body may have: 64 KiB. What SDKs send is below.
const SMALL: usize = 64 << 10;

/// The larger bodies that there are at once; further ones wait. At 4 MiB each that is 32 MiB, and up to twice that while they grow,
/// however many connections there are.
static LARGE: Semaphore = Semaphore::const_new(8);

/// A large body, which gives its place back when it is dropped.
struct Large {
    bytes: Bytes,
    _place: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It did not come in time.
    Late,
    /// The client went away, or sent what is no HTTP.
    Broken,
}

/// Reads a body. Of one that is larger than `most` bytes, `most` + 1 are returned, and the others thrown away.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, NoBody> {
    read_among(body, most, &LARGE).await
}

async fn read_among(mut body: Body, most: usize, large: &'static Semaphore) -> Result<Bytes, NoBody> {
    let end = Instant::now() + WHOLE;
    let mut kept = BytesMut::new();
    let mut place = None;
    let whole = |kept: BytesMut, place: Option<_>| match place {
        None => kept.freeze(),
        Some(place) => Bytes::from_owner(Large { bytes: kept.freeze(), _place: place }),
    };
    let mut came = 0_usize;
    loop {
        let next = timeout_at(end, timeout(IDLE, body.frame())).await;
        let frame = match next {
            Ok(Ok(Some(Ok(frame)))) => frame,
            Ok(Ok(None)) => return Ok(whole(kept, place)),
            Ok(Ok(Some(Err(_)))) => return Err(NoBody::Broken),
            Ok(Err(_)) | Err(_) => return Err(NoBody::Late),
        };
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        came = came.saturating_add(data.len());
        kept.extend_from_slice(&data[..data.len().min((most + 1).saturating_sub(kept.len()))]);
        if came > most.saturating_add(DISCARDED) {
            return Ok(whole(kept, place));
        }
        if kept.len() > SMALL && place.is_none() {
            let Ok(Ok(free)) = timeout_at(end, large.acquire()).await else { return Err(NoBody::Late) };
            place = Some(free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: Body, most: usize) -> Result<Bytes, NoBody> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(read(body, most))
    }

    #[test]
    fn a_byte_more_than_allowed_is_kept_to_tell() {
        for (length, kept) in [(0, 0), (9, 9), (10, 10), (11, 11), (12, 11), (100_000, 11)] {
            assert_eq!(read_all(Body::from(vec![b'x'; length]), 10).unwrap().len(), kept, "{length}");
        }
    }

    #[test]
    fn large_bodies_wait_for_a_place_and_small_ones_do_not() {
        static TWO: Semaphore = Semaphore::const_new(2);
        // In two pieces: a body is seen to be large before its end.
        let body = |length: usize| {
            let piece = Bytes::from(vec![b'x'; length / 2]);
            Body::from_stream(futures_util::stream::iter([piece.clone(), piece].map(Ok::<_, std::io::Error>)))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let large = 2 * SMALL + 2;
            let first = read_among(body(large), large, &TWO).await.unwrap();
            let second = read_among(body(large), large, &TWO).await.unwrap();
            assert_eq!((first.len(), second.len()), (large, large));
            assert_eq!(read_among(body(large), large, &TWO).await, Err(NoBody::Late));
            assert_eq!(read_among(body(SMALL), large, &TWO).await.unwrap().len(), SMALL);
            let slice = first.slice(..1);
            drop(first);
            assert_eq!(read_among(body(large), large, &TWO).await, Err(NoBody::Late));
            drop(slice);
            assert_eq!(read_among(body(large), large, &TWO).await.unwrap().len(), large);
        });
    }

    #[test]
    fn a_body_without_end_is_left_after_so_many_bytes() {
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
        assert_eq!(read_all(Body::from_stream(endless), 10).unwrap().len(), 11);
    }

    #[test]
    fn a_body_that_stops_or_drips_is_given_up() {
        let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(read_all(Body::from_stream(silent), 10), Err(NoBody::Late));
        let dripping = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        assert_eq!(read_all(Body::from_stream(dripping), 1_000), Err(NoBody::Late));
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
        assert_eq!(read_all(Body::from_stream(broken), 10), Err(NoBody::Broken));
    }
}
