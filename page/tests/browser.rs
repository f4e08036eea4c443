//! The pages in a real Chromium.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use harness::testing::{NODE, Need, Test, test};
use harness::{Exit, Half, LIMIT, build, root};

use crate::server::{Server, children, until};
use crate::site::files;

const CHROMIUM: Need = Need::Program("chromium", "--version");
/// What drives it is among the packages of this lesson.
const DRIVER: Need = Need::Packages("socketio-chat");

pub fn tests() -> Vec<Test> {
    [
        test(
            "both_languages_stand_in_one_row_or_below_each_other",
            || of_files("rows"),
        ),
        test("all_is_there_without_javascript", || of_files("plain")),
        test("on_paper_is_all_and_nothing_is_cut_off", || {
            of_files("print")
        }),
        test("a_few_questions_lead_to_every_lesson", || {
            of_files("choose")
        }),
        test("everything_goes_by_keyboard_and_choices_are_kept", || {
            of_files("reading")
        }),
        test("axe_finds_nothing", || of_server("access")),
        test("three_lessons_run_as_their_readmes_show", || {
            of_server("run")
        }),
        test("a_line_lights_its_step_and_a_half_can_be_frozen", || {
            of_server("control")
        })
        .needs(Need::Unix),
        test("of_twenty_tabs_four_run_and_nothing_is_left", tabs)
            .needs(Need::Proc),
        test("no_script_runs_that_is_not_the_pages_own", || {
            of_server("policy")
        }),
    ]
    .map(|test| test.of("browser").needs(NODE).needs(DRIVER).needs(CHROMIUM))
    .into()
}

/// As a web site, below a folder.
fn of_files(scenario: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let below = folder.path().join("below");
    for (name, text) in files()? {
        let path = below.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&below))?;
        fs::write(path, text)?;
    }
    browse(scenario, &format!("file://{}/", below.display()))
}

fn of_server(scenario: &str) -> Result<()> {
    let server = Server::start()?;
    let url = format!("http://{}/{}/", server.address, server.token);
    browse(scenario, &url)
}

/// The browser is closed while four pairs run.
fn tabs() -> Result<()> {
    build("tcp-echo", harness::Profile::Debug)?;
    let server = Server::start()?;
    let url = format!("http://{}/{}/", server.address, server.token);
    browse("tabs", &url)?;
    let id = server.half.id();
    until("the end of all", || {
        children(id).is_ok_and(|children| children.is_empty())
    })
}

/// One browser at a time, or on a busy machine none of them comes to its end.
fn browse(scenario: &str, url: &str) -> Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut node = Command::new("node");
    node.arg(root().join("page/tests/browser.js"))
        .args([scenario, url]);
    let mut browser = Half::start(&mut node)?;
    let exit = browser.wait_at_most(LIMIT * 3)?;
    ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", browser.stderr());
    Ok(())
}
