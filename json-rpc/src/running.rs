//! The requests that are still being answered, and what cancels each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A token for each request, by its id. A token is what an `AbortController` is
/// in Node: the task that answers the request waits for it to be cancelled.
#[derive(Clone, Debug, Default)]
pub struct Running(Arc<Mutex<HashMap<String, CancellationToken>>>);

impl Running {
    /// Adds a request. Returns the token that is cancelled to cancel it.
    pub fn insert(&self, id: &Value) -> CancellationToken {
        let token = CancellationToken::new();
        self.tokens().insert(id.to_string(), token.clone());
        token
    }

    /// Removes a request: it has its answer.
    pub fn remove(&self, id: &Value) {
        self.tokens().remove(&id.to_string());
    }

    /// Cancels a request. If it has its answer, there is nothing to cancel.
    pub fn cancel(&self, id: &Value) {
        if let Some(token) = self.tokens().get(&id.to_string()) {
            token.cancel();
        }
    }

    /// Cancels all requests.
    pub fn cancel_all(&self) {
        for token in self.tokens().values() {
            token.cancel();
        }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
