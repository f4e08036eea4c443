//! The memory that a parent makes and its child maps.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::ring::{CacheLine, Ring};

/// The words of each ring: 256 KiB, so that any command line argument fits
/// into it as a message. Pages that are never touched cost nothing.
pub const WORDS: usize = 32 * 1024;

/// What is where in the memory: a [`Memory`] has these fields. Zeroed, it is
/// ready for use.
#[repr(C)]
#[derive(Debug)]
pub struct Shared {
    /// Which version of this program made it.
    layout: CacheLine<AtomicU32>,
    /// The number that both processes change.
    pub number: AtomicI32,
    /// Messages from the parent to the child.
    pub to_child: Ring<WORDS>,
    /// Messages from the child to the parent.
    pub to_parent: Ring<WORDS>,
}

/// To be changed whenever [`Shared`] changes.
const LAYOUT: u32 = 0x5AED_0001;

/// A piece of memory that another process has mapped as well, with the fields
/// of [`Shared`].
#[derive(Debug)]
pub struct Memory {
    map: Mapping,
    file: File,
}

/// Mapped memory that is at least as long as [`Shared`], while this lives.
#[derive(Debug)]
pub(crate) struct Mapping(MmapRaw);

impl Memory {
    /// Makes the memory: a file without a name (memfd), mapped into this
    /// process. It is gone with the last process that has it open.
    ///
    /// # Errors
    /// Whatever the system says; `Unsupported` on Windows.
    pub fn create() -> io::Result<Self> {
        let memory = Self::map(system::create(size_of::<Shared>())?)?;
        memory.layout.0.store(LAYOUT, Ordering::Release);
        Ok(memory)
    }

    /// Maps the memory whose file descriptor the parent left open for us.
    ///
    /// # Errors
    /// `InvalidData` if it is not what a parent makes, and whatever the
    /// system says.
    pub fn inherited(descriptor: &str) -> io::Result<Self> {
        let memory = Self::map(system::inherited(descriptor)?)?;
        if memory.layout.0.load(Ordering::Acquire) != LAYOUT {
            return Err(invalid("it was made by another program or version"));
        }
        Ok(memory)
    }

    /// An access beyond the end of the file kills the process (SIGBUS), so
    /// the length is checked, and sealed so that nobody can change it.
    fn map(file: File) -> io::Result<Self> {
        let size = size_of::<Shared>();
        system::check_that_nobody_can_shrink(&file)?;
        if file.metadata()?.len() != size as u64 {
            return Err(invalid("it has the wrong size"));
        }
        let map = Mapping(MmapOptions::new().len(size).map_raw(&file)?);
        Ok(Self { map, file })
    }

    /// The file, to be left open for a child.
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
        // - it points to `size_of::<Shared>()` mapped bytes: that many were
        //   asked for, and the file, if there is one, has that many, now and,
        //   where the system has seals, always;
        // - it is aligned: a mapping begins at a page, and nothing in
        //   `Shared` is aligned to more than 128 bytes;
        // - any bytes are a valid `Shared`: it consists of atomic integers;
        // - others may write at the same time: all of it is inside an
        //   `UnsafeCell`, and accessed atomically, except for the padding,
        //   which no code ever reads;
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

/// memfd: memory with a file descriptor and no name. A seal cannot be removed.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs::File;
    use std::io;

    use rustix::fs::{
        MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate,
        memfd_create,
    };

    pub(super) use super::unix::inherited;

    /// The length cannot change, nor can the seals.
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
        // It fails for files that cannot have seals.
        let has = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
        if !has.contains(seals()) {
            return Err(super::invalid("its length is not sealed"));
        }
        Ok(())
    }
}

/// On macOS: a file that nobody can find, as it is deleted at once. There are
/// no seals: nothing keeps the other process from shortening it.
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

    /// The system lists a process's own descriptors as files. Opened this way,
    /// a wrong number is an error, and not some other file of this process.
    pub(super) fn inherited(descriptor: &str) -> io::Result<File> {
        let number: u32 = descriptor
            .parse()
            .map_err(|_| super::invalid("not a number"))?;
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
                   here, only its threads run";
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
