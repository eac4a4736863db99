//! A network that leads nowhere: what is sent there has left without a copy, because nobody gets
//! it.

use crate::sys::cvt;
use std::ffi::CStr;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{mem, thread};

/// Datagrams sent to this address in the network of [`socket`] are thrown away by its device.
const ADDRESS: [u8; 4] = [10, 9, 8, 1];

/// A UDP socket in a network namespace of its own, connected to nobody through a device that throws
/// away what it is given: `dummy`, or `ifb`, which does the same with packets that nobody redirects
/// to it. The namespace ends with the socket.
///
/// # Errors
///
/// A sentence that says what could not be had: without `CAP_SYS_ADMIN` there is no namespace.
pub fn socket() -> io::Result<UdpSocket> {
    // A thread that ends afterwards: the calling one stays in its own network.
    let made = thread::Builder::new().spawn(|| {
        // SAFETY: concerns the calling thread only, which has no descriptors or memory of its own.
        cvt(unsafe { libc::unshare(libc::CLONE_NEWNET) })
            .map_err(said("a network namespace of its own"))?;
        add(b"dummy")
            .or_else(|_| add(b"ifb"))
            .map_err(said("a device that throws everything away"))?;
        start(c"nowhere").map_err(said("starting the device"))?;
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let [a, b, c, d] = ADDRESS;
        socket.connect((std::net::Ipv4Addr::new(a, b, c, d + 1), 9))?;
        Ok(socket)
    })?;
    made.join().map_err(|_| io::Error::other("making a network panicked"))?
}

fn said(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Adds a device of that kind, called `nowhere`, by rtnetlink(7).
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
    body.extend(attribute(libc::IFLA_IFNAME, b"nowhere\0"));
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
        crate::sys::moved(libc::send(
            socket.as_raw_fd(),
            message.as_ptr().cast(),
            message.len(),
            0,
        ))?;
        crate::sys::moved(libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        ))?
    };
    match answer[..length]
        .get(16..20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Gives the device its address and starts it, by netdevice(7).
fn start(name: &CStr) -> io::Result<()> {
    let socket = open(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: all-zero bytes are a valid `ifreq` and a valid `sockaddr_in`.
    let (mut request, mut address): (libc::ifreq, libc::sockaddr_in) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
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
        // Without IFF_NOARP, the packets would never get to the device: nobody answers there.
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_NOARP) as libc::c_short;
        cvt(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)).map(drop)
    }
}

fn open(family: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor, which is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(cvt(libc::socket(family, kind | libc::SOCK_CLOEXEC, 0))?) })
}
