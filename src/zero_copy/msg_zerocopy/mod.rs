//! Sending without the copy into the socket: `MSG_ZEROCOPY`, and `SEND_ZC` of io_uring.
//!
//! The kernel takes references to the pages of a buffer instead of copying it, and says later when
//! it has let go of them. Until then the buffer is not the program's to write to.
//! [`sender::ZeroCopySender`] makes a rule of the types of that: it takes each buffer by value and
//! gives it back when its completion has come. [`outstanding`] keeps the books, [`ring`] does the
//! same through io_uring, [`way`] has the ways of sending that the chapter compares, [`nowhere`] is
//! a device on which nothing is copied, and [`naive`] is the version that everybody writes first.

#[cfg(target_os = "linux")]
pub mod naive;
#[cfg(target_os = "linux")]
pub mod nowhere;
pub mod outstanding;
#[cfg(target_os = "linux")]
pub mod ring;
#[cfg(target_os = "linux")]
pub mod sender;
#[cfg(target_os = "linux")]
pub mod way;

#[cfg(target_os = "linux")]
use crate::sys::{cvt, moved};
#[cfg(target_os = "linux")]
use outstanding::Completion;
#[cfg(target_os = "linux")]
use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// `SO_EE_ORIGIN_ZEROCOPY` and `SO_EE_CODE_ZEROCOPY_COPIED` of `linux/errqueue.h`, which the crate
/// `libc` does not have.
#[cfg(target_os = "linux")]
const ORIGIN_ZEROCOPY: u8 = 5;
#[cfg(target_os = "linux")]
const CODE_COPIED: u8 = 1;

/// Lets the socket's sends ask for no copy (`SO_ZEROCOPY`).
///
/// # Errors
///
/// What `setsockopt(2)` reports: `EOPNOTSUPP` for a socket of another kind.
#[cfg(target_os = "linux")]
pub(crate) fn allow(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: an open descriptor, and an option of that size.
    cvt(unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, (&raw const on).cast(), size)
    })
    .map(drop)
    .map_err(|error| io::Error::new(error.kind(), format!("SO_ZEROCOPY: {error}")))
}

/// Sends up to all of `bytes` without copying them, by one call; asks again when a signal
/// interrupts it.
///
/// Each call that sends anything has a number, counted from 0 for each socket, and a completion to
/// come. Until then the kernel reads the pages of `bytes`, whatever they hold then: the caller sees
/// to it that nobody writes to them or gives them to the allocator.
///
/// # Errors
///
/// What `send(2)` reports. `WouldBlock`: no room. `ENOBUFS`: too many sends whose completions have
/// not been read.
#[cfg(target_os = "linux")]
pub(crate) fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let flags = libc::MSG_ZEROCOPY | libc::MSG_NOSIGNAL;
        // SAFETY: an open descriptor and `bytes`, which are live. What the kernel reads later it
        // reads from pages that it holds itself.
        let sent = moved(unsafe {
            libc::send(socket.as_fd().as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

// ANCHOR: completion
/// Takes the next completion off the socket's error queue, or `None` if none has come. Never waits.
///
/// # Errors
///
/// What `recvmsg(2)` reports, and `Other` for something else in the queue.
#[cfg(target_os = "linux")]
pub(crate) fn completion(socket: impl AsFd) -> io::Result<Option<Completion>> {
    let mut control = [0_u64; 16]; // aligned as a `cmsghdr` asks
    // SAFETY: all-zero bytes are a valid `msghdr`: no address, no bytes, no control.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: an open descriptor, and a `msghdr` whose control buffer is live and has the size that
    // it says.
    match moved(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, flags) }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return completion(socket),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let report = extended_error(&message).filter(|report| report.ee_origin == ORIGIN_ZEROCOPY);
    let report = report
        .ok_or_else(|| io::Error::other("the error queue holds something else than completions"))?;
    let copied = report.ee_code & CODE_COPIED != 0;
    Ok(Some(Completion { first: report.ee_info, last: report.ee_data, copied }))
}
// ANCHOR_END: completion

/// The `sock_extended_err` of a message from the error queue.
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

/// Asks for kernel TLS on a connected socket (`TCP_ULP`); without keys, the connection goes on
/// unencrypted.
///
/// # Errors
///
/// A sentence that says why there is none: `NotFound` for a kernel without it.
// ANCHOR: kernel_tls
#[cfg(target_os = "linux")]
pub fn kernel_tls(socket: impl AsFd) -> io::Result<()> {
    let name = b"tls";
    let (socket, size) = (socket.as_fd().as_raw_fd(), name.len() as libc::socklen_t);
    // SAFETY: an open descriptor, and a name of that many bytes.
    cvt(unsafe {
        libc::setsockopt(socket, libc::IPPROTO_TCP, libc::TCP_ULP, name.as_ptr().cast(), size)
    })
    .map(drop)
    .map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => io::Error::new(
            error.kind(),
            "this kernel was built without TLS, or may not load its module",
        ),
        _ => io::Error::new(error.kind(), format!("asking for kernel TLS: {error}")),
    })
}
// ANCHOR_END: kernel_tls
