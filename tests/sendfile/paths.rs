//! No path leads out of the root, and only regular files are served.

use super::site::{SECRET, calm, exchange, site, start, status};
use perf_proved::proof::syscalls::trace;
use perf_proved::zero_copy::sendfile::root::Root;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;

#[test]
fn no_path_leads_outside() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    let outside = site.0.path().to_str().unwrap().to_owned();
    let long = "a/".repeat(2000);
    let name = "n".repeat(256);
    let deep = "../".repeat(100);
    let mut paths: Vec<Vec<u8>> = [
        "/../secret",
        "/directory/../../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/.%2e/secret",
        "/%2E%2E/secret",
        "/%252e%252e/secret",
        "/%252e%252e%252fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/%5c..%5csecret",
        "/..;/secret",
        "/directory/%2e%2e/%2e%2e/secret",
        "/./../secret",
        "/.../secret",
        "//secret",
        "//../secret",
        "/%2fsecret",
        "/%2f..%2fsecret",
        "/%c0%ae%c0%ae/secret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%uff0e%uff0e/secret",
        "/..%00/secret",
        "/%00",
        "/ten%00.html",
        "/ten%00",
        "/out",
        "/out/",
        "/outdirectory/secret",
        "/outdirectory/",
        "/absolute",
        "/absolute-inside",
        "/magic/etc/passwd",
        "/magic",
        "/loop",
        "/fifo",
        "/socket",
        "/fifo/",
        "/%",
        "/%2",
        "/%2g",
        "/ten/../../secret",
        "/ten/.",
        "/..",
        "/%2e%2e",
        "/../",
        "/../root/ten",
        "http://a/../secret",
        "http://../secret",
        "/?/../../secret",
        "/inside/../../secret",
    ]
    .iter()
    .map(|path| path.as_bytes().to_vec())
    .collect();
    paths.push(format!("/{deep}etc/passwd").into());
    paths.push(format!("/{}etc/passwd", "%2e%2e%2f".repeat(100)).into());
    paths.push(format!("/{outside}/secret").into());
    paths.push(format!("{outside}/secret").into());
    paths.push(format!("/%2f{outside}/secret").into());
    paths.push(format!("/{long}").into());
    paths.push(format!("/{name}").into());
    paths.push(format!("/{}", "directory/../".repeat(300) + "../secret").into());
    paths.extend(
        (0..=255)
            .filter(|byte| !b" ?\r\n".contains(byte))
            .map(|byte| vec![b'/', b'.', b'.', byte, b's', b'e', b'c', b'r', b'e', b't']),
    );
    for path in paths {
        let shown = String::from_utf8_lossy(&path).into_owned();
        let answer =
            exchange(&server, [b"GET ", &path[..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains(SECRET) && !text.contains("root:"), "{shown}:\n{text}");
        if shown != "/?/../../secret" && shown != "http://../secret" && shown != "/ten/." {
            assert!(matches!(status(&answer), 400 | 404 | 414 | 431), "{shown}:\n{text}");
        }
    }
    assert_eq!(exchange(&server, "GET /ten HTTP/1.0\r\n\r\n")[9..12], *b"200", "it still serves");
}

#[test]
fn devices_and_magic_links_are_not_files() {
    for (root, paths) in [
        ("/dev", &["/null", "/zero", "/full", "/tty", "/random", "/stdin", "/fd/0"][..]),
        (
            "/proc/self",
            &[
                "/root/etc/passwd",
                "/exe",
                "/cwd/Cargo.toml",
                "/fd/0",
                "/task/../root/etc/passwd",
                "/ns/net",
            ][..],
        ),
    ] {
        let (server, _) = start(root.as_ref(), calm());
        for path in paths {
            let answer = exchange(&server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert!(
                matches!(status(&answer), 403 | 404),
                "{root}{path}: {}",
                String::from_utf8_lossy(&answer[..80])
            );
        }
    }
    let missing = Root::open("/no/such/directory".as_ref()).err().unwrap();
    assert!(missing.to_string().contains("/no/such/directory"), "{missing}");
    assert!(Root::open("/etc/passwd".as_ref()).is_err(), "a file cannot be a root");
}

#[test]
fn a_path_takes_one_call_and_its_file_is_not_inherited() {
    let site = site();
    let root = Root::open(&site.root()).unwrap();
    let file = root.file(b"ten").unwrap();
    // SAFETY: an open descriptor and a command without an argument.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
    match trace(|| root.file(b"nothing")) {
        Err(reason) => eprintln!("not possible here: {reason}"),
        Ok((missing, calls)) => {
            assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(calls.of("openat2").made, 1);
        }
    }
}
