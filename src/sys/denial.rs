//! Denying a system call to a thread, as the seccomp filters of containers do.

use super::{cvt, trying};
use std::io;
use std::mem::offset_of;

/// A seccomp filter that answers one system call with an error.
#[derive(Clone, Copy, Debug)]
pub struct Denial {
    /// The number of the call, such as `libc::SYS_io_uring_setup`.
    pub call: libc::c_long,
    /// The error, such as `libc::EPERM`.
    pub code: i32,
}

impl Denial {
    /// Installs the filter for the calling thread and those that it starts, for good. It looks at
    /// the number of the call alone, and so misses calls by way of another architecture's numbers.
    ///
    /// Makes system calls alone, so a forked child may call it.
    ///
    /// # Errors
    ///
    /// The errors of `prctl(2)` and `seccomp(2)`.
    pub fn install(self) -> io::Result<()> {
        self.install_with(0)
    }

    /// Installs the filter for all threads of the process, for good.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install); an error that names a thread which has filters of its own,
    /// and so cannot take over those of the calling one.
    pub fn install_for_all(self) -> io::Result<()> {
        self.install_with(libc::SECCOMP_FILTER_FLAG_TSYNC)
    }

    fn install_with(self, flags: libc::c_ulong) -> io::Result<()> {
        let at_call = offset_of!(libc::seccomp_data, nr) as u32;
        let answer = libc::SECCOMP_RET_ERRNO | self.code as u32;
        let word = |code: u32, value, yes, no| libc::sock_filter {
            code: code as u16,
            jt: yes,
            jf: no,
            k: value,
        };
        let mut filter = [
            word(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at_call, 0, 0),
            word(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, self.call as u32, 0, 1),
            word(libc::BPF_RET | libc::BPF_K, answer, 0, 0),
            word(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
        ];
        let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        // SAFETY: takes no pointer.
        trying("prctl", cvt(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }))?;
        // SAFETY: `program` and its filter are live, and only read.
        match unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) } {
            0 => Ok(()),
            -1 => trying("seccomp", Err(io::Error::last_os_error())),
            // No error number comes with it.
            thread => {
                let reason = io::Error::other("it has filters of its own");
                trying(format_args!("seccomp: thread {thread}"), Err(reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::raw_code;
    use std::sync::mpsc::channel;
    use std::thread;

    /// The kernel answers with the number of that thread, and sets no `errno`.
    #[test]
    fn a_thread_with_filters_of_its_own_is_named() {
        let denial = Denial { call: libc::SYS_acct, code: libc::EPERM };
        let (tell, hear) = channel();
        let (go, wait) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                // SAFETY: takes nothing.
                tell.send((denial.install(), unsafe { libc::gettid() })).unwrap();
                let _ = wait.recv(); // until the other end is dropped
            });
            let (installed, thread) = hear.recv().unwrap();
            if let Err(error) = installed {
                return eprintln!("not possible here: {error}");
            }
            // SAFETY: sets a variable of the calling thread.
            unsafe { *libc::__errno_location() = libc::EISDIR };
            let error = denial.install_for_all().unwrap_err();
            let expected = format!("seccomp: thread {thread}: it has filters of its own");
            assert_eq!((raw_code(&error), error.to_string()), (None, expected));
            drop(go);
        });
    }
}
