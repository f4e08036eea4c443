//! The clock that hyper holds against a request's headers.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// One timer for all requests of a connection.
///
/// hyper asks for a timer when it begins to wait for a request, and drops it
/// when the headers are there. tokio would have to enter each of them into
/// its list and to strike it out again. To put off one that is entered costs
/// next to nothing, so this is the same timer each time.
#[derive(Clone, Debug)]
pub struct OneTimer(Arc<Mutex<Pin<Box<time::Sleep>>>>);

impl OneTimer {
    /// Not yet set. Must be called within a tokio runtime.
    pub fn unset() -> Self {
        let timer = time::sleep(Duration::MAX);
        Self(Arc::new(Mutex::new(Box::pin(timer))))
    }

    fn lock(&self) -> MutexGuard<'_, Pin<Box<time::Sleep>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for OneTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.lock().as_mut().reset(deadline.into());
        Box::pin(self.clone())
    }
}

impl Sleep for OneTimer {}

impl Future for OneTimer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.lock().as_mut().poll(context)
    }
}
