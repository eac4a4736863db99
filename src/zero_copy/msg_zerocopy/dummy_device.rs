//! A network device that discards everything: no one receives what is sent there, so nothing needs
//! to be copied.

use crate::sys::{cvt, moved, trying};
use std::ffi::CStr;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{mem, thread};

/// The address of the device in the network of [`socket`]. It discards datagrams to its neighbors.
const ADDRESS: [u8; 4] = [10, 9, 8, 1];

/// The name of the device.
const NAME: &CStr = c"discard";

/// Creates a UDP socket in a network namespace of its own, connected to an address behind a device
/// that discards everything: `dummy`, or `ifb`, which discards packets unless they were redirected
/// to it. The namespace ends with the socket.
///
/// # Errors
///
/// A sentence that says what could not be had: without `CAP_SYS_ADMIN`, the namespace.
pub fn socket() -> io::Result<UdpSocket> {
    // A thread that ends afterwards, so that the calling one stays in its own network.
    let made = thread::Builder::new().spawn(|| {
        // SAFETY: concerns the calling thread only, which has no descriptors or memory of its own.
        let own = cvt(unsafe { libc::unshare(libc::CLONE_NEWNET) });
        trying("a network namespace of its own", own)?;
        let added = add(b"dummy").or_else(|_| add(b"ifb"));
        trying("a device that discards everything", added)?;
        trying("starting the device", start())?;
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let [a, b, c, d] = ADDRESS;
        socket.connect((std::net::Ipv4Addr::new(a, b, c, d + 1), 9))?;
        Ok(socket)
    })?;
    made.join().map_err(|_| io::Error::other("making a network panicked"))?
}

/// Adds a device of this kind, by rtnetlink(7).
fn add(kind: &[u8]) -> io::Result<()> {
    let attribute = |number: u16, value: &[u8]| {
        let mut bytes = Vec::new();
        bytes.extend((4 + value.len() as u16).to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut body = vec![0; 16]; // an `ifinfomsg` that leaves everything to the kernel
    body.extend(attribute(libc::IFLA_IFNAME, NAME.to_bytes_with_nul()));
    body.extend(attribute(libc::IFLA_LINKINFO, &attribute(libc::IFLA_INFO_KIND, kind)));
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend((flags as u16).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);

    let socket = open(libc::AF_NETLINK, libc::SOCK_RAW)?;
    let mut answer = [0_u8; 256];
    // SAFETY: an open descriptor, and buffers that are live and have the sizes given.
    let length = unsafe {
        let (from, to) = (message.as_ptr().cast(), answer.as_mut_ptr().cast());
        moved(libc::send(socket.as_raw_fd(), from, message.len(), 0))?;
        moved(libc::recv(socket.as_raw_fd(), to, answer.len(), 0))?
    };
    let error = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Gives the device its address and starts it, by netdevice(7).
fn start() -> io::Result<()> {
    let socket = open(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: all-zero bytes are a valid `ifreq` and a valid `sockaddr_in`.
    let (mut request, mut address): (libc::ifreq, libc::sockaddr_in) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    for (to, from) in request.ifr_name.iter_mut().zip(NAME.to_bytes()) {
        *to = *from as libc::c_char;
    }
    address.sin_family = libc::AF_INET as _;
    address.sin_addr.s_addr = u32::from_ne_bytes(ADDRESS);
    // SAFETY: `sockaddr_in` is a `sockaddr` by its size and its first field.
    request.ifr_ifru.ifru_addr =
        unsafe { mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
    // SAFETY: an open descriptor, and requests that take a live `ifreq`.
    unsafe {
        cvt(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFADDR, &raw const request))?;
        // Without IFF_NOARP, packets would wait for an answer to ARP that never comes.
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_NOARP) as libc::c_short;
        cvt(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)).map(drop)
    }
}

fn open(family: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor, which has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(cvt(libc::socket(family, kind | libc::SOCK_CLOEXEC, 0))?) })
}
