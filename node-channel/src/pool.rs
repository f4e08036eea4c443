//! A pool of children that do jobs: each one job at a time, with one message
//! that says what to do, and one that says what came of it.
//!
//! ```no_run
//! use node_channel::{Fork, pool::Pool};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // double.js: process.on('message', n => process.send(n * 2))
//! let pool = Pool::new(Fork::new("node").arg("double.js"), 4);
//! let doubled: u32 = pool.run(&21).await?;
//! assert_eq!(doubled, 42);
//! pool.close().await;
//! # Ok(())
//! # }
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{Error, Fork, Forked, describe};

/// How long a child may take to end when it has been disconnected, before it
/// is killed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Children that do jobs, and a queue of those that wait for one.
///
/// A child is started when a job finds none that is free, up to the size of
/// the pool. One that crashes fails its own job and no other. The children
/// are killed when the pool is dropped; [`Self::close`] ends them in order.
#[derive(Debug)]
pub struct Pool {
    fork: Mutex<Fork>,
    /// One permit for each child that may work. Callers that wait get
    /// them in turn.
    free: Semaphore,
    size: u32,
    idle: Mutex<Vec<Worker>>,
    most_jobs: u64,
}

/// A child, and how many jobs it has done.
#[derive(Debug)]
struct Worker {
    child: Forked,
    jobs: u64,
}

/// Why a job was not done.
///
/// `Debug` is for people, too: it is what a `main` that returns an error
/// prints.
#[non_exhaustive]
pub enum PoolError {
    /// The child could not be started.
    Start(io::Error),
    /// The child has ended before it had done the job.
    Crashed(ExitStatus),
    /// The job could not be sent, or its result is not what was asked for.
    Message(Error),
    /// The pool has been closed.
    Closed,
}

impl Pool {
    /// A pool of at most `size` children, at least one. They are started as
    /// `fork` says, when there is something to do.
    pub fn new(mut fork: Fork, size: u16) -> Self {
        fork.kill_on_drop();
        let size = size.max(1);
        Self {
            fork: Mutex::new(fork),
            free: Semaphore::new(size.into()),
            size: size.into(),
            idle: Mutex::default(),
            most_jobs: u64::MAX,
        }
    }

    /// Sets after how many jobs a child is replaced by a new one: for scripts
    /// that take more memory with each job.
    pub fn jobs_per_child(mut self, most: u64) -> Self {
        self.most_jobs = most;
        self
    }

    /// Has a child do a job; waits while all are busy. The child must answer
    /// each message with exactly one.
    ///
    /// Cancelled, the job's child is killed: its late answer would be taken
    /// for the next one's.
    ///
    /// # Errors
    /// When the job was not done. The pool goes on.
    pub async fn run<J: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        job: &J,
    ) -> Result<R, PoolError> {
        let permit = self.free.acquire().await;
        let _permit = permit.map_err(|_| PoolError::Closed)?;
        let mut worker = self.take().await?;
        let sent = worker.child.channel.send(job).await;
        let answer = match sent {
            Ok(()) => worker.child.channel.recv_as::<R>().await,
            Err(Error::Closed) => None,
            Err(error) => Some(Err(error)),
        };
        let Some(answer) = answer else {
            let status = end(worker.child).await.map_err(PoolError::Start)?;
            return Err(PoolError::Crashed(status));
        };
        worker.jobs += 1;
        match &answer {
            // Its channel is of no more use.
            Err(Error::Io(_) | Error::TooLong { .. }) => {}
            _ if worker.jobs >= self.most_jobs => {
                tokio::spawn(end(worker.child));
            }
            _ => lock(&self.idle).push(worker),
        }
        answer.map_err(PoolError::Message)
    }

    /// A child that is free, or a new one.
    async fn take(&self) -> Result<Worker, PoolError> {
        loop {
            let idle = lock(&self.idle).pop();
            let Some(mut worker) = idle else { break };
            if worker.is_free().await {
                return Ok(worker);
            }
        }
        let child = lock(&self.fork).spawn().map_err(PoolError::Start)?;
        Ok(Worker { child, jobs: 0 })
    }

    /// Waits until all jobs are done, disconnects the children, and waits for
    /// their end. One that does not end within five seconds is killed. Jobs
    /// that come from now on are [`PoolError::Closed`].
    pub async fn close(&self) {
        // Those who wait have their turn first.
        let all = self.free.acquire_many(self.size).await;
        self.free.close();
        drop(all);
        let idle = std::mem::take(&mut *lock(&self.idle));
        let mut ending = JoinSet::new();
        for worker in idle {
            ending.spawn(end(worker.child));
        }
        while ending.join_next().await.is_some() {}
    }
}

impl Worker {
    /// It may have ended while there was nothing to do, or have said more than
    /// one thing to one job.
    async fn is_free(&mut self) -> bool {
        let has_more = tokio::select! {
            biased;
            _ = self.child.channel.recv() => true,
            () = std::future::ready(()) => false,
        };
        !has_more && matches!(self.child.process.try_wait(), Ok(None))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Disconnects, and waits for the end; kills a child that does not end.
async fn end(mut child: Forked) -> io::Result<ExitStatus> {
    if let Ok(ended) = timeout(END_TIMEOUT, child.end()).await {
        return ended;
    }
    child.process.kill().await?;
    child.process.wait().await
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It names the program, and says what is wrong.
            Self::Start(error) => error.fmt(f),
            Self::Crashed(status) => {
                write!(f, "the child {}", describe(*status))
            }
            Self::Message(error) => error.fmt(f),
            Self::Closed => f.write_str("the pool is closed"),
        }
    }
}

impl fmt::Debug for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl StdError for PoolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Message(error) => error.source(),
            _ => None,
        }
    }
}
