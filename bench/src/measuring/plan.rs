//! The plan of a run: which programs take turns with which, and in what.

use super::contest::{Contest, Side};
use super::process::raise_descriptor_limit;
use crate::sample::{HELLO, Measure, Placement, What};
use crate::transports::Entry;

/// What the command line asks for.
pub struct Asked<'a> {
    /// Fewer sizes, and on two cores the main ones only.
    pub quick: bool,
    /// Only these; all where there are none.
    pub measures: &'a [Measure],
    /// Where.
    pub placements: Vec<Placement>,
}

/// Everything that is to be measured. What cannot be is noted.
pub fn contests<'a>(
    entries: &'a [Entry],
    asked: &Asked<'_>,
    notes: &mut Vec<String>,
) -> Vec<Contest<'a>> {
    if asked.placements.len() < 2 {
        notes.push("two cores: there is only one".to_owned());
    }
    let descriptors = raise_descriptor_limit();
    let mut all = Vec::new();
    for entries in contestants(entries) {
        let Some((transport, _)) = entries.first() else {
            continue;
        };
        let mut measures = transport.measures(asked.quick);
        measures.retain(|what| {
            asked.measures.is_empty() || asked.measures.contains(&what.measure)
        });
        measures.retain(|what| {
            let needed = match what.measure {
                Measure::Memory => what.size as u64 + 100,
                _ => 0,
            };
            let enough = needed <= descriptors;
            if !enough {
                notes.push(format!(
                    "{} {what}: the limit of open files is {descriptors}, \
                     and could not be raised",
                    transport.name()
                ));
            }
            enough
        });
        let mut tasks = Vec::new();
        for (i, placement) in asked.placements.iter().enumerate() {
            let here = measures.iter().filter(|what| {
                i == 0
                    || on_two_cores(**what) && (!asked.quick || is_main(**what))
            });
            tasks.extend(here.map(|what| (*placement, *what)));
        }
        // Those that a running program answers one after the other.
        tasks.sort_by_key(|(place, what)| (*place, what.measure));
        let sides = in_turns(entries);
        all.push(Contest { sides, tasks });
    }
    all
}

/// The others are the same on one core and on two.
fn on_two_cores(what: What) -> bool {
    ![Measure::Push, Measure::Start, Measure::Memory].contains(&what.measure)
}

/// What a quick run asks on two cores as well.
fn is_main(what: What) -> bool {
    match what.measure {
        Measure::RoundTrip => what == HELLO,
        Measure::Stream => what.size >= 64 << 10,
        _ => true,
    }
}

/// Whose ratio answers the claim: they take their turns in the same rounds,
/// or the machine's drift between the two would be the answer.
const RIVALS: [&str; 2] = ["tcp-echo", "pipe-echo"];

/// Who takes turns with whom: the rivals with each other, as both are asked
/// the same; every other transport's programs among themselves.
fn contestants(entries: &[Entry]) -> Vec<&[Entry]> {
    let rivals =
        |one: &Entry, other: &Entry| RIVALS == [one.0.name(), other.0.name()];
    entries.chunk_by(rivals).collect()
}

/// All of them, the same program over each transport in turn: who are
/// compared with each other run one right after the other.
fn in_turns(entries: &[Entry]) -> Vec<Side<'_>> {
    let mut sides: Vec<Side<'_>> = Vec::new();
    let most = entries.iter().map(|(_, programs)| programs.len()).max();
    for i in 0..most.unwrap_or_default() {
        sides.extend(entries.iter().filter_map(|(transport, programs)| {
            Some((*transport, programs.get(i)?.clone()))
        }));
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transports::{Transport, all};

    #[test]
    fn tcp_and_unix_sockets_take_turns_with_each_other() {
        let entry = |one: &'static dyn Transport| (one, one.programs());
        let all: Vec<Entry> = all().into_iter().map(entry).collect();
        let groups = contestants(&all);
        assert_eq!(groups.len(), all.len() - 1, "the others by themselves");
        let rivals: Vec<_> = groups[0].iter().map(|one| one.0).collect();
        for quick in [true, false] {
            // So the tasks of the one are those of the other.
            assert_eq!(rivals[0].measures(quick), rivals[1].measures(quick));
        }
        let turns: Vec<_> = in_turns(groups[0])
            .iter()
            .map(|(transport, program)| {
                format!("{} {program}", transport.name())
            })
            .collect();
        assert_eq!(
            turns,
            [
                "tcp-echo floor",
                "pipe-echo floor",
                "tcp-echo Rust",
                "pipe-echo Rust",
                "tcp-echo Node",
                "pipe-echo Node",
                "tcp-echo events",
                "pipe-echo events",
            ]
        );
    }
}
