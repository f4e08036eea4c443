//! The parent's role: starts a program with a channel to it.
//!
//! std cannot tell a program which handles it has by which number, so this
//! calls CreateProcess itself.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{
    AsRawHandle, FromRawHandle, OwnedHandle, RawHandle,
};
use std::os::windows::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitStatus};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tokio::sync::watch;
use windows_sys::Win32::Foundation::{
    GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
    WAIT_TIMEOUT,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED,
    OPEN_EXISTING, PIPE_ACCESS_DUPLEX,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, INFINITE,
    InitializeProcThreadAttributeList, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
    PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};

use crate::child::{FD, MODE};
pub use crate::forked::Forked;
use crate::frames::{self, Reader, Writer};
use crate::{Channel, Options, Serialization};

/// The channel's number in the child, as with Node's `fork()`.
const NUMBER: &str = "3";

/// What the C runtime wants to know of a handle: it is open, and a pipe or a
/// device.
const FOPEN: u8 = 0x01;
const FPIPE: u8 = 0x08;
const FDEV: u8 = 0x40;

/// Room in the pipe, each way. Node makes it as large.
const ROOM: u32 = 64 * 1024;

/// Starts a program with a channel, as Node's `child_process.fork()` does.
///
/// The program inherits stdin, stdout and stderr.
#[derive(Clone, Debug)]
pub struct Fork {
    program: OsString,
    arguments: Vec<OsString>,
    variables: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    options: Options,
    kill_on_drop: bool,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    handle: Arc<OwnedHandle>,
    id: u32,
    kill_on_drop: bool,
    /// Closed by a thread when the program has ended.
    waiting: Option<watch::Receiver<()>>,
}

impl Fork {
    /// Will start `program`: `node`, say, with a script as its argument.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: BTreeMap::new(),
            folder: None,
            options: Options::default(),
            kill_on_drop: false,
        }
    }

    /// Will start this program once more, as Node's `fork()` starts Node.
    ///
    /// # Errors
    /// When the system does not know where this program's file is.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self::new(env::current_exe()?))
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<T: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        let arguments = arguments.into_iter();
        self.arguments
            .extend(arguments.map(|it| it.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(
        mut self,
        name: impl AsRef<OsStr>,
        value: impl AsRef<OsStr>,
    ) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the folder that the program starts in.
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets what messages are made of: Node's option `serialization`.
    pub fn serialization(mut self, serialization: Serialization) -> Self {
        self.options.serialization = serialization;
        self
    }

    /// Sets how many bytes a message from the child may have.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.options.limit = bytes;
        self
    }

    /// Has each program ended when its [`Forked`] is dropped.
    pub(crate) fn kill_on_drop(&mut self) {
        self.kill_on_drop = true;
    }

    /// Starts the program. Must be called within a tokio runtime. Each call
    /// starts another one, with a channel of its own.
    ///
    /// # Errors
    /// When it cannot be started, with the program's name.
    pub fn spawn(&mut self) -> io::Result<Forked> {
        let (pipe, process) = self.spawn_with_pipe()?;
        let channel = Channel::new(pipe, self.options);
        let channel = channel.map_err(io::Error::other)?;
        Ok(Forked { channel, process })
    }

    /// As [`Self::spawn`], for who wants the bytes of each message, and
    /// nothing interpreted.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn spawn_frames(&mut self) -> io::Result<(Reader, Writer, Process)> {
        let (pipe, process) = self.spawn_with_pipe()?;
        let Options {
            serialization,
            limit,
        } = self.options;
        let (reader, writer) = frames::open(pipe, serialization, limit)?;
        Ok((reader, writer, process))
    }

    fn spawn_with_pipe(&mut self) -> io::Result<(OwnedHandle, Process)> {
        let (ours, theirs) = pair()?;
        let process = self.start(&theirs).map_err(|error| {
            let program = self.program.display();
            io::Error::new(error.kind(), format!("start {program}: {error}"))
        })?;
        // `theirs` is closed here, or its end would never come.
        Ok((ours, process))
    }

    fn start(&self, pipe: &OwnedHandle) -> io::Result<Process> {
        let mut line = self.command_line()?;
        let variables = self.environment()?;
        let folder = self.folder.as_deref().map(Path::as_os_str).map(wide);
        let folder = folder.transpose()?;
        let folder = folder.as_ref().map_or(ptr::null(), |it| it.as_ptr());

        let std = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];
        // SAFETY: it takes a number and hands out one that is only passed on.
        let std = std.map(|which| unsafe { GetStdHandle(which) });
        let mut block = block(std, pipe.as_raw_handle());
        let mut info = STARTUPINFOEXW::default();
        info.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
        info.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        info.StartupInfo.hStdInput = std[0];
        info.StartupInfo.hStdOutput = std[1];
        info.StartupInfo.hStdError = std[2];
        info.StartupInfo.cbReserved2 = block.len() as u16;
        info.StartupInfo.lpReserved2 = block.as_mut_ptr();

        // The child inherits these and no other handle of ours.
        let mut handles = vec![pipe.as_raw_handle()];
        for handle in std {
            let usable = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
            if usable && !handles.contains(&handle) {
                handles.push(handle);
            }
        }
        let mut list = HandleList::new(&handles)?;
        info.lpAttributeList = list.as_mut_ptr();

        let mut started = PROCESS_INFORMATION::default();
        // SAFETY: each pointer leads to something that outlives the call:
        // texts end with 0, the line may be written to, the environment ends
        // with two 0, and `cb` says that the attributes are there.
        let done = unsafe {
            CreateProcessW(
                ptr::null(),
                line.as_mut_ptr(),
                ptr::null(),
                ptr::null(),
                1,
                CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                variables.as_ptr().cast(),
                folder,
                (&raw const info).cast(),
                &raw mut started,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both were made just now, and nobody else has them.
        let [handle, _thread] = [started.hProcess, started.hThread]
            .map(|raw| unsafe { OwnedHandle::from_raw_handle(raw) });
        Ok(Process {
            handle: Arc::new(handle),
            id: started.dwProcessId,
            kill_on_drop: self.kill_on_drop,
            waiting: None,
        })
    }

    /// The program and its arguments in one text, quoted as programs of
    /// Microsoft's C runtime, and so Node and Rust, take it apart again.
    fn command_line(&self) -> io::Result<Vec<u16>> {
        let mut line = Vec::new();
        for word in [&self.program].into_iter().chain(&self.arguments) {
            if !line.is_empty() {
                line.push(u16::from(b' '));
            }
            quote(&mut line, word)?;
        }
        line.push(0);
        Ok(line)
    }

    /// `NAME=VALUE`, each with a 0 behind it, and one more 0.
    fn environment(&self) -> io::Result<Vec<u16>> {
        let mode = match self.options.serialization {
            Serialization::Json => "json",
            Serialization::Advanced => "advanced",
        };
        let own = [(FD, NUMBER), (MODE, mode)];
        let own = own.map(|(name, value)| (name.into(), value.into()));
        // Names are the same in upper and in lower case; the last one counts.
        let mut all = BTreeMap::new();
        let given = self.variables.clone().into_iter();
        for (name, value) in env::vars_os().chain(given).chain(own) {
            all.insert(name.to_ascii_uppercase(), (name, value));
        }
        let mut block = Vec::new();
        for (name, value) in all.values() {
            let mut text = name.clone();
            text.push("=");
            text.push(value);
            block.extend(wide(&text)?);
        }
        block.push(0);
        Ok(block)
    }
}

impl Process {
    /// The program's process id.
    pub fn id(&self) -> Option<u32> {
        Some(self.id)
    }

    /// Waits for the program's end. Safe to cancel.
    ///
    /// # Errors
    /// When the system refuses to tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            none => {
                let (tell, waiting) = watch::channel(());
                let handle = Arc::clone(&self.handle);
                // No thread of tokio's: a runtime waits for those at its end.
                thread::Builder::new().spawn(move || {
                    let _ = ended_within(&handle, INFINITE);
                    drop(tell);
                })?;
                none.insert(waiting)
            }
        };
        while waiting.changed().await.is_ok() {}
        let status = self.try_wait()?;
        status.ok_or_else(|| io::Error::other("it has not ended"))
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        ended_within(&self.handle, 0)
    }

    /// Ends the program at once, and waits for it.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn kill(&mut self) -> io::Result<()> {
        self.terminate();
        self.wait().await.map(drop)
    }

    /// Does nothing where it has ended by itself.
    fn terminate(&self) {
        // SAFETY: the handle is open as long as it is borrowed.
        unsafe { TerminateProcess(self.handle.as_raw_handle(), 1) };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kill_on_drop {
            self.terminate();
        }
    }
}

fn ended_within(
    handle: &OwnedHandle,
    milliseconds: u32,
) -> io::Result<Option<ExitStatus>> {
    let raw = handle.as_raw_handle();
    let mut code = 0;
    // SAFETY: the handle is open as long as it is borrowed, and the system
    // writes one number.
    unsafe {
        match WaitForSingleObject(raw, milliseconds) {
            WAIT_TIMEOUT => return Ok(None),
            WAIT_OBJECT_0 if GetExitCodeProcess(raw, &raw mut code) != 0 => {}
            _ => return Err(io::Error::last_os_error()),
        }
    }
    Ok(Some(ExitStatus::from_raw(code)))
}

/// A server's and a client's end of a named pipe of this process alone. A
/// program that is started from here can inherit the client's.
fn pair() -> io::Result<(OwnedHandle, OwnedHandle)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(r"\\.\pipe\node-channel-{}-{count}", process::id());
    let name = wide(OsStr::new(&name))?;
    let open = |raw: RawHandle| match raw {
        INVALID_HANDLE_VALUE => Err(io::Error::last_os_error()),
        // SAFETY: it was made just now, and nobody else has it.
        raw => Ok(unsafe { OwnedHandle::from_raw_handle(raw) }),
    };
    // SAFETY: the name ends with 0 and outlives the call.
    let server = open(unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX
                | FILE_FLAG_OVERLAPPED
                | FILE_FLAG_FIRST_PIPE_INSTANCE,
            PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
            1, // so nobody else can connect
            ROOM,
            ROOM,
            0,
            ptr::null(),
        )
    })?;
    let inherit = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: ptr::null_mut(),
        bInheritHandle: 1,
    };
    // SAFETY: as above, and the attributes outlive the call, too.
    let client = open(unsafe {
        CreateFileW(
            name.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            0,
            &raw const inherit,
            OPEN_EXISTING,
            FILE_FLAG_OVERLAPPED, // libuv wants it so
            ptr::null_mut(),
        )
    })?;
    Ok((server, client))
}

/// STARTUPINFO's `lpReserved2`, as Microsoft's C runtime has it: how many
/// handles, what each is, and the handles.
fn block(std: [RawHandle; 3], pipe: RawHandle) -> Vec<u8> {
    let mut block = 4_u32.to_ne_bytes().to_vec();
    block.extend([FOPEN | FDEV; 3]);
    block.push(FOPEN | FPIPE);
    for handle in std.into_iter().chain([pipe]) {
        block.extend(handle.addr().to_ne_bytes());
    }
    block
}

/// The handles that a child inherits, as CreateProcess wants to know it.
struct HandleList<'a> {
    /// Aligned for what the system puts there.
    space: Vec<usize>,
    _handles: &'a [RawHandle],
}

impl<'a> HandleList<'a> {
    fn new(handles: &'a [RawHandle]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list, it only says how much space one takes.
        unsafe {
            InitializeProcThreadAttributeList(
                ptr::null_mut(),
                1,
                0,
                &raw mut size,
            );
        }
        let mut space = vec![0_usize; size.div_ceil(size_of::<usize>())];
        let list = space.as_mut_ptr().cast();
        // SAFETY: there is as much space as it has asked for.
        let made = unsafe {
            InitializeProcThreadAttributeList(list, 1, 0, &raw mut size)
        };
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let this = Self {
            space,
            _handles: handles,
        };
        // SAFETY: the list was made just now, and the handles are borrowed as
        // long as it exists.
        let set = unsafe {
            UpdateProcThreadAttribute(
                list,
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        match set {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(this),
        }
    }

    fn as_mut_ptr(&mut self) -> *mut std::ffi::c_void {
        self.space.as_mut_ptr().cast()
    }
}

impl Drop for HandleList<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and is not used any more.
        unsafe { DeleteProcThreadAttributeList(self.as_mut_ptr()) };
    }
}

/// As the system takes it: UTF-16 with a 0 at its end.
fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        let why = "a NUL character within a text";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    units.push(0);
    Ok(units)
}

/// Within quotes; and a backslash counts as itself, unless a quote follows.
fn quote(line: &mut Vec<u16>, word: &OsStr) -> io::Result<()> {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    let mut units = wide(word)?;
    units.pop();
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in units {
        match unit {
            BACKSLASH => backslashes += 1,
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
    Ok(())
}
