//! Sending a file over a socket from inside the kernel: `sendfile(2)`.
