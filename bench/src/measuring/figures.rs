//! One sample: starts the program, puts the load on it, and reads what that
//! cost.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cores::Cores;
use super::process::{Share, resident};
use super::watchdog::Watchdog;
use crate::load::exchange::{Exchange, Reply, TURNS};
use crate::load::link::Link;
use crate::load::{self, Run, Stream};
use crate::sample::{Figures, HELLO, Measure, Placement, What};
use crate::transports::{Peer, Program, Start, Transport};

/// What every sample needs.
pub struct Bench<'a> {
    /// Which cores there are.
    pub cores: &'a Cores,
    /// A folder for sockets.
    pub folder: &'a Path,
    /// Kills a program that does not answer.
    pub watchdog: Watchdog,
}

/// What a sample is taken of.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// How the program is spoken to.
    pub transport: &'a dyn Transport,
    /// The program.
    pub program: &'a Program,
    /// What is measured.
    pub what: What,
    /// On which cores.
    pub placement: Placement,
}

/// A program that runs, for several samples one after the other. It is
/// started when it is first needed.
#[derive(Default)]
pub struct Running {
    peer: Option<Peer>,
    links: Vec<Box<dyn Link>>,
}

impl Bench<'_> {
    /// One sample.
    ///
    /// # Errors
    /// When the program does not start, hangs, ends, or answers wrongly.
    pub fn sample(
        &self,
        running: &mut Running,
        job: Job<'_>,
        length: Duration,
    ) -> Result<Figures> {
        let What { measure, size } = job.what;
        if measure == Measure::RoundTrip
            && let Some(figures) = self.own_clock(job, length)?
        {
            return Ok(figures);
        }
        match measure {
            Measure::RoundTrip | Measure::Flood | Measure::Stream => {
                let (peer, links) = self.ready(running, job, 1)?;
                let Some(link) = links.first_mut() else {
                    bail!("no connection");
                };
                let link = link.as_mut();
                let exchanges = job.exchanges(size);
                self.measured(peer, || match measure {
                    Measure::RoundTrip => {
                        load::round_trips(link, &exchanges, length)
                    }
                    _ if link.datagrams() => {
                        load::datagrams(link, &exchanges, length)
                    }
                    _ => load::stream(link, &job.stream()?, length),
                })
            }
            Measure::Many => {
                let (peer, links) = self.ready(running, job, size)?;
                let exchanges = job.exchanges(HELLO.size);
                self.measured(peer, || load::many(links, &exchanges, length))
            }
            Measure::FanOut => {
                let (peer, links) = self.ready(running, job, size)?;
                let exchanges: Vec<_> = (0..TURNS)
                    .map(|turn| job.transport.to_all(HELLO.size, turn))
                    .collect();
                self.measured(peer, || load::fan_out(links, &exchanges, length))
            }
            Measure::CatchUp => {
                let (peer, _) = self.ready(running, job, 0)?;
                let all = job.transport.to_all(HELLO.size, 0);
                self.measured(peer, || {
                    load::catch_up(&peer.connect, size, &all, length)
                })
            }
            Measure::Push => self.push(running, job, length),
            Measure::Start => {
                // Another program ran before: the first start finds nothing
                // of this one in the processor's caches.
                self.first_answer(job)?;
                self.first_answer(job)
            }
            Measure::Memory => self.memory(job),
        }
    }

    fn start(&self, job: Job<'_>) -> Result<Peer> {
        let start = Start {
            measure: job.what.measure,
            folder: self.folder,
        };
        self.cores
            .start(job.placement, || job.transport.start(job.program, start))
    }

    /// Round trips that the programs measure themselves, where nobody else
    /// can.
    fn own_clock(
        &self,
        job: Job<'_>,
        length: Duration,
    ) -> Result<Option<Figures>> {
        let clock =
            || job.transport.own_clock(job.program, job.what.size, length);
        match job.placement {
            Placement::One => self.cores.start(job.placement, clock),
            // The two choose their cores themselves.
            Placement::Two => {
                self.cores.release()?;
                let figures = clock();
                self.cores.start(job.placement, || figures)
            }
        }
    }

    /// Has the program run, with that many connections.
    fn ready<'a>(
        &self,
        running: &'a mut Running,
        job: Job<'_>,
        connections: usize,
    ) -> Result<(&'a Peer, &'a mut Vec<Box<dyn Link>>)> {
        let Running { peer, links } = running;
        let peer = match peer {
            Some(peer) => peer,
            None => peer.insert(self.start(job)?),
        };
        self.watchdog.watching(peer.half.id(), || {
            while links.len() < connections {
                links.push((peer.connect)()?);
            }
            Ok(())
        })?;
        Ok((peer, links))
    }

    /// Runs the load and takes both sides' processor time.
    fn measured(
        &self,
        peer: &Peer,
        load: impl FnOnce() -> Result<Run>,
    ) -> Result<Figures> {
        let id = peer.half.id();
        let server = Share::of(id);
        let own = Share::own();
        let run = self.watchdog.watching(id, load)?;
        let own = Share::own().since(own);
        let server = Share::of(id).since(server);
        let per_message = |share: Option<Share>| {
            Some(share?.ran as f64 / 1e3 / run.messages as f64)
        };
        let seconds = run.time.as_secs_f64();
        let mut figures = Figures {
            messages: Some(run.messages),
            seconds: Some(seconds),
            per_second: Some(run.messages as f64 / seconds),
            mb_per_second: Some(run.bytes as f64 / 1e6 / seconds),
            server_cpu: per_message(server),
            load_cpu: per_message(own),
            waited: server.zip(own).map(|(server, own)| {
                (server.waited + own.waited) as f64 / 1e9 / seconds
            }),
            ..Figures::default()
        };
        if let Some(trips) = run.trips {
            let at = |part| Some(trips.value_at_quantile(part) as f64 / 1e3);
            figures.min = Some(trips.min() as f64 / 1e3);
            figures.median = at(0.5);
            figures.p99 = at(0.99);
            figures.p999 = at(0.999);
        }
        Ok(figures)
    }

    /// What it costs to send events that come by themselves. The clients are
    /// there for this sample only, or they would fall behind until the next.
    fn push(
        &self,
        running: &mut Running,
        job: Job<'_>,
        length: Duration,
    ) -> Result<Figures> {
        /// The minimum time: it is the server that sets the pace.
        const LEAST: Duration = Duration::from_millis(400);

        let (peer, _) = self.ready(running, job, 0)?;
        let Exchange { request, reply } = job.transport.exchange(0, 0);
        let Reply::Exact(event) = reply else {
            bail!("no event");
        };
        let mut links = Vec::new();
        self.watchdog.watching(peer.half.id(), || {
            for _ in 0..job.what.size {
                let mut link = (peer.connect)()?;
                link.send(&request)?;
                links.push(link);
                if links.len() == 1 {
                    // The others begin where this one is: up to date.
                    load::settle(&mut links, &event)?;
                }
            }
            load::settle(&mut links, &event)
        })?;
        let length = length.max(LEAST);
        self.measured(peer, || load::listen(&mut links, &event, length))
    }

    fn first_answer(&self, job: Job<'_>) -> Result<Figures> {
        let exchanges = job.exchanges(HELLO.size);
        let start = Start {
            measure: job.what.measure,
            folder: self.folder,
        };
        let began = Instant::now();
        let first = self.cores.start(job.placement, || {
            job.transport.first_answer(job.program, start)
        })?;
        let mut time = began.elapsed();
        if first.is_none() {
            let peer = self.start(job)?;
            self.watchdog.watching(peer.half.id(), || {
                let mut link = (peer.connect)()?;
                let first = &exchanges[..1];
                load::round_trips(link.as_mut(), first, Duration::ZERO)
            })?;
            time = began.elapsed();
        }
        Ok(Figures {
            start_ms: Some(time.as_secs_f64() * 1e3),
            ..Figures::default()
        })
    }

    fn memory(&self, job: Job<'_>) -> Result<Figures> {
        let peer = self.start(job)?;
        let exchanges = job.exchanges(HELLO.size);
        let mut links = Vec::new();
        self.watchdog.watching(peer.half.id(), || {
            // With none: one that comes and goes, so that it has begun.
            for _ in 0..job.what.size.max(1) {
                let mut link = (peer.connect)()?;
                // Answered, so it has been accepted; from here on it waits.
                load::round_trips(link.as_mut(), &exchanges, Duration::ZERO)?;
                links.push(link);
            }
            Ok(())
        })?;
        if job.what.size == 0 {
            links.clear();
        }
        Ok(Figures {
            memory_kib: Some(resident(peer.half.id())?),
            ..Figures::default()
        })
    }
}

impl Job<'_> {
    fn exchanges(self, size: usize) -> Vec<Exchange> {
        (0..TURNS)
            .map(|turn| self.transport.exchange(size, turn))
            .collect()
    }

    /// The messages of a flood, many in a write; or one in a write.
    fn stream(self) -> Result<Stream> {
        /// Written at once, or repeated after so much.
        const BLOCK: usize = 64 * 1024;

        let size = self.what.size;
        let messages = (BLOCK / size).max(1);
        let mut request = Vec::new();
        let mut answer = Vec::new();
        for turn in 0..messages {
            let exchange = self.transport.exchange(size, turn);
            request.extend(exchange.request);
            match exchange.reply {
                Reply::Exact(bytes) => answer.extend(bytes),
                _ => bail!("not for a stream"),
            }
        }
        let write = match self.what.measure {
            Measure::Flood => request.len(),
            _ => request.len() / messages,
        };
        Ok(Stream {
            request,
            reply: answer,
            messages,
            write,
        })
    }
}
