//! The memory that a parent makes, and that its child finds.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::ring::{Line, Ring};

/// The words of each ring: 256 KiB, so any command line argument fits into
/// it as a message. Memory that is never used costs nothing.
pub const WORDS: usize = 32 * 1024;

/// What stands in the memory. Zeroed, it is ready for use.
#[repr(C)]
#[derive(Debug)]
pub struct Shared {
    /// Which program, and which version of it, made this.
    layout: Line<AtomicU32>,
    /// The number that both see.
    pub number: AtomicI32,
    /// Messages from the parent to the child.
    pub to_child: Ring<WORDS>,
    /// Messages from the child to the parent.
    pub to_parent: Ring<WORDS>,
}

/// Another number whenever [`Shared`] becomes another.
const LAYOUT: u32 = 0x5AED_0001;

/// A piece of memory that another process has mapped as well.
#[derive(Debug)]
pub struct Memory {
    map: Mapping,
    file: File,
}

/// At least as many mapped bytes as [`Shared`] has, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Mapping(MmapRaw);

impl Memory {
    /// Makes the memory. It has no name, and is gone with the last process
    /// that has it.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` on Windows.
    pub fn create() -> io::Result<Self> {
        let memory = Self::map(system::create(size_of::<Shared>())?)?;
        memory.layout.0.store(LAYOUT, Ordering::Release);
        Ok(memory)
    }

    /// Opens the memory that the parent left open for us, as `descriptor`.
    ///
    /// # Errors
    /// `InvalidData` when it is not what a parent makes, and whatever the
    /// system says.
    pub fn inherited(descriptor: &str) -> io::Result<Self> {
        let memory = Self::map(system::inherited(descriptor)?)?;
        if memory.layout.0.load(Ordering::Acquire) != LAYOUT {
            return Err(invalid("another program's, or another version's"));
        }
        Ok(memory)
    }

    /// Touching memory that lies behind the end of its file kills the
    /// process (SIGBUS), so the length is checked, and must be unchangeable.
    fn map(file: File) -> io::Result<Self> {
        let size = size_of::<Shared>();
        system::check_that_nobody_can_shrink(&file)?;
        if file.metadata()?.len() != size as u64 {
            return Err(invalid("it has the wrong size"));
        }
        let map = Mapping(MmapOptions::new().len(size).map_raw(&file)?);
        Ok(Self { map, file })
    }

    /// The open file, to be left open for a child.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Deref for Memory {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.map
    }
}

impl Deref for Mapping {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        let shared = self.0.as_ptr().cast::<Shared>();
        // SAFETY:
        // - it points to `size_of::<Shared>()` mapped bytes: whoever made
        //   this asked for as many, and the file, if there is one, has as
        //   many, now and, where the system has seals, for ever;
        // - it is aligned: a mapping begins at a page, and nothing in
        //   `Shared` is aligned to more than 128 bytes;
        // - any bytes are a valid `Shared`: it consists of atomic integers;
        // - that others write meanwhile is what atomics are for: all of it
        //   is inside an `UnsafeCell`, and read and written in one step,
        //   but for the padding, which no code ever reads;
        // - `self.0` is unmapped when it is dropped, and the reference
        //   borrows it.
        unsafe { &*shared }
    }
}

/// Memory of this process alone, for tests. Miri knows no other.
#[cfg(test)]
impl Mapping {
    pub(crate) fn anonymous() -> io::Result<Self> {
        let size = size_of::<Shared>();
        let map = MmapOptions::new().len(size).map_anon()?;
        Ok(Self(MmapRaw::from(map)))
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// memfd: memory with a file descriptor and no name. Its seals cannot be
/// taken off again.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs::File;
    use std::io;

    use rustix::fs::{
        MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate,
        memfd_create,
    };

    pub(super) use super::unix::inherited;

    /// The length stays, and so do the seals.
    fn seals() -> SealFlags {
        SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL
    }

    pub(super) fn create(size: usize) -> io::Result<File> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = memfd_create("shared-memory", flags)?;
        ftruncate(&memory, size as u64)?;
        fcntl_add_seals(&memory, seals())?;
        Ok(File::from(memory))
    }

    pub(super) fn check_that_nobody_can_shrink(file: &File) -> io::Result<()> {
        // It fails for files that know no seals.
        let has = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
        match has.contains(seals()) {
            true => Ok(()),
            false => Err(super::invalid("its length is not sealed")),
        }
    }
}

/// Elsewhere: a file that nobody can find, as it was deleted at once. Without
/// seals, only good manners keep the other process from shortening it.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod system {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;

    pub(super) use super::unix::inherited;

    pub(super) fn create(size: usize) -> io::Result<File> {
        let name = format!("shared-memory-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        fs::remove_file(&path)?;
        file.set_len(size as u64)?;
        Ok(file)
    }

    pub(super) fn check_that_nobody_can_shrink(_: &File) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;

    /// The system lists a process's own descriptors as files. Opened so, a
    /// number that is none gives an error, and never somebody else's file.
    pub(super) fn inherited(descriptor: &str) -> io::Result<File> {
        let number: u32 = descriptor
            .parse()
            .map_err(|_| super::invalid("no number"))?;
        File::options()
            .read(true)
            .write(true)
            .open(format!("/dev/fd/{number}"))
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::File;
    use std::io::{self, ErrorKind};

    fn unsupported<T>() -> io::Result<T> {
        let why = "this lesson hands memory to a child as Unix does; \
                   here, only its `threads` runs";
        Err(io::Error::new(ErrorKind::Unsupported, why))
    }

    pub(super) fn create(_: usize) -> io::Result<File> {
        unsupported()
    }

    pub(super) fn inherited(_: &str) -> io::Result<File> {
        unsupported()
    }

    pub(super) fn check_that_nobody_can_shrink(_: &File) -> io::Result<()> {
        Ok(())
    }
}
