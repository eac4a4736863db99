//! Sending without the copy into the socket: `MSG_ZEROCOPY`, and `SEND_ZC` of io_uring.
//!
//! The kernel takes references to the pages of a buffer instead of copying it, and reports later
//! that it has released them. Until then the program must not write to the buffer or free it.
//!
//! | module | provides |
//! | --- | --- |
//! | [`naive`] | the version that everyone writes first |
//! | [`sender`] | a sender that takes each buffer by value and returns it after its completion |
//! | [`outstanding`] | which buffers the kernel still reads |
//! | [`ring`] | the same through io_uring |
//! | [`registered`] | memory that stays pinned from one send through a ring to the next |
//! | [`variants`] | the ways of sending that the chapter compares |
//! | [`dummy_device`] | a network device that discards everything, and so copies nothing |
//! | [`experiment`] | what the example, the bench and the tests measure with |
//!
//! The book's chapter: [msg_zerocopy](../../../../zero-copy/msg-zerocopy.html).

#[cfg(target_os = "linux")]
pub mod dummy_device;
#[cfg(target_os = "linux")]
pub mod experiment;
#[cfg(target_os = "linux")]
pub mod naive;
pub mod outstanding;
#[cfg(target_os = "linux")]
pub mod registered;
#[cfg(target_os = "linux")]
pub mod ring;
#[cfg(target_os = "linux")]
pub mod sender;
#[cfg(target_os = "linux")]
pub mod variants;

#[cfg(target_os = "linux")]
use crate::sys::{cvt, moved, region, rlimit, trying};
#[cfg(target_os = "linux")]
use outstanding::Completion;
#[cfg(target_os = "linux")]
use std::{
    fs, io, mem,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// `SO_EE_ORIGIN_ZEROCOPY` and `SO_EE_CODE_ZEROCOPY_COPIED` of `linux/errqueue.h`, which the crate
/// `libc` does not have.
#[cfg(target_os = "linux")]
const ORIGIN_ZEROCOPY: u8 = 5;
#[cfg(target_os = "linux")]
const CODE_COPIED: u8 = 1;

/// Enables `MSG_ZEROCOPY` on the socket (`SO_ZEROCOPY`).
///
/// # Errors
///
/// The errors of `setsockopt(2)`: `EOPNOTSUPP` for other kinds of sockets.
#[cfg(target_os = "linux")]
pub(crate) fn allow(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: an open descriptor, and an option of that size.
    let result = cvt(unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, (&raw const on).cast(), size)
    });
    trying("SO_ZEROCOPY", result).map(drop)
}

/// Sends up to all of `bytes` without copying them, in one call; retries after a signal.
///
/// The kernel numbers the calls that send anything, from 0 for each socket, and reports a
/// completion for each. Until then it reads the pages of `bytes`, whatever they hold by then, so
/// the caller must not write to them or free them.
///
/// # Errors
///
/// The errors of `send(2)`. `WouldBlock`: the socket has no room. `ENOBUFS`: one of the [`limits`]
/// is reached, or `bytes` is too long for what is left of it.
#[cfg(target_os = "linux")]
pub(crate) fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    send_with(socket, bytes, libc::MSG_ZEROCOPY)
}

/// Sends up to all of `bytes` in one call, with the flags given; retries after a signal.
#[cfg(target_os = "linux")]
fn send_with(socket: impl AsFd, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    let socket = socket.as_fd().as_raw_fd();
    loop {
        // SAFETY: an open descriptor and `bytes`, which are live. What the kernel reads later it
        // reads from pages that it holds itself.
        let sent = moved(unsafe {
            libc::send(socket, bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_NOSIGNAL)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Returns the largest length of one send that leaves three quarters of this user's
/// `RLIMIT_MEMLOCK` to other sends: whole pages, so it can be 0. `None` if the limit is unlimited
/// or unknown.
///
/// The kernel counts a send of `n` bytes as `n / page + 2` pages, whatever part of it the socket
/// has room for, and adds up the sends of all processes of one user.
#[cfg(target_os = "linux")]
fn fair_share() -> Option<usize> {
    let limit = usize::try_from(rlimit::locked_memory().ok()??).ok()?;
    let page = region::page_size();
    Some(limit / 4 / page * page)
}

/// Describes the limits on sends without a copy, with their values here.
#[cfg(target_os = "linux")]
pub fn limits() -> String {
    let locked = match rlimit::locked_memory() {
        Ok(Some(bytes)) => format!("{} KiB", bytes >> 10),
        Ok(None) => "any number of pages".to_owned(),
        Err(error) => error.to_string(),
    };
    let notes = fs::read_to_string("/proc/sys/net/core/optmem_max");
    let notes = notes.map_or_else(|error| error.to_string(), |bytes| bytes.trim().to_owned());
    format!(
        "RLIMIT_MEMLOCK lets all processes of this user together pin {locked}, \
         net.core.optmem_max lets completions of one socket take {notes} bytes"
    )
}

// ANCHOR: completion
/// Takes the next completion off the socket's error queue, or returns `None` if it is empty. Never
/// waits.
///
/// # Errors
///
/// The errors of `recvmsg(2)`; `Other` if the queue holds anything but completions.
#[cfg(target_os = "linux")]
pub(crate) fn completion(socket: impl AsFd) -> io::Result<Option<Completion>> {
    let mut control = [0_u64; 16]; // aligned as a `cmsghdr` requires
    // SAFETY: all-zero bytes are a valid `msghdr`: no address, no bytes, no control.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: an open descriptor, and a `msghdr` whose control buffer is live and as large as it
    // states.
    match moved(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, flags) }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return completion(socket),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let report = extended_error(&message).filter(|report| report.ee_origin == ORIGIN_ZEROCOPY);
    let report = report.ok_or_else(|| {
        io::Error::other("the error queue holds something other than completions")
    })?;
    let copied = report.ee_code & CODE_COPIED != 0;
    Ok(Some(Completion { first: report.ee_info, last: report.ee_data, copied }))
}
// ANCHOR_END: completion

/// Returns the `sock_extended_err` of a message from the error queue.
#[cfg(target_os = "linux")]
fn extended_error(message: &libc::msghdr) -> Option<libc::sock_extended_err> {
    // SAFETY: the kernel has filled in the message, whose control buffer is live; a null first
    // header is no header.
    let header = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() }?;
    let of_the_queue = [(libc::SOL_IP, libc::IP_RECVERR), (libc::SOL_IPV6, libc::IPV6_RECVERR)];
    of_the_queue.contains(&(header.cmsg_level, header.cmsg_type)).then(|| {
        // SAFETY: the data of such a header begins with a `sock_extended_err`.
        unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast()) }
    })
}

/// Enables kernel TLS on a connected socket (`TCP_ULP`). Until it is given keys, the connection
/// stays unencrypted.
///
/// # Errors
///
/// A sentence that says why there is none: `NotFound` for a kernel without it.
// ANCHOR: kernel_tls
#[cfg(target_os = "linux")]
pub fn kernel_tls(socket: impl AsFd) -> io::Result<()> {
    let name = b"tls";
    let (start, size) = (name.as_ptr().cast(), name.len() as libc::socklen_t);
    let (fd, level) = (socket.as_fd().as_raw_fd(), libc::IPPROTO_TCP);
    // SAFETY: an open descriptor, and a name of that many bytes.
    let result = cvt(unsafe { libc::setsockopt(fd, level, libc::TCP_ULP, start, size) });
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Err(io::Error::new(
            error.kind(),
            "this kernel was built without TLS, or may not load its module",
        )),
        other => trying("asking for kernel TLS", other).map(drop),
    }
}
// ANCHOR_END: kernel_tls
