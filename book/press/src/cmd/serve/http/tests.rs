use super::*;

/// A site with an index, a folder and a 404 page, served on a port of its own.
struct Served {
    site: Arc<Site>,
    address: std::net::SocketAddr,
    folder: PathBuf,
}

impl Served {
    fn new(name: &str) -> Served {
        let outer = std::env::temp_dir().join(format!("press-http-{name}-{}", std::process::id()));
        let folder = outer.join("book");
        fs::create_dir_all(folder.join("part")).unwrap();
        fs::write(outer.join("secret.txt"), "secret").unwrap();
        fs::write(folder.join("index.html"), "<body>front</body>").unwrap();
        fs::write(folder.join("part/index.html"), "<body>part</body>").unwrap();
        fs::write(folder.join("a page.css"), "css").unwrap();
        fs::write(folder.join("404.html"), "<body>nothing here</body>").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::new(Site::new(folder));
        let serving = Arc::clone(&site);
        thread::spawn(move || serving.serve(&listener));
        Served { site, address, folder: outer }
    }

    fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn pages_come_with_their_type_and_the_listening_line() {
    let served = Served::new("pages");
    let answer = served.get("/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("text/html; charset=utf-8") && answer.contains("front<script>// Listens"),
        "{answer}"
    );
    let answer = served.get("/a%20page.css?v=1");
    assert!(answer.contains("text/css") && answer.ends_with("\r\n\r\ncss"), "{answer}");
    assert!(served.get("/part/").contains("part<script>"));
}

#[test]
fn a_browser_keeps_fonts_and_nothing_else() {
    let served = Served::new("fonts");
    fs::write(served.folder.join("book/a.woff2"), "font").unwrap();
    assert!(served.get("/a.woff2").contains("\r\nCache-Control: max-age=86400\r\n"));
    assert!(served.get("/").contains("\r\nCache-Control: no-store\r\n"));
}

#[test]
fn a_folder_without_its_slash_is_redirected() {
    let answer = Served::new("folder").get("/part");
    assert!(
        answer.starts_with("HTTP/1.1 301") && answer.contains("\r\nLocation: /part/\r\n"),
        "{answer}"
    );
}

#[test]
fn a_missing_page_gets_the_books_own_404() {
    let answer = Served::new("missing").get("/no/such/page.html");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("nothing here"), "{answer}");
}

#[test]
fn head_sends_the_length_and_no_body() {
    let answer = Served::new("head").raw(b"HEAD /a%20page.css HTTP/1.1\r\n\r\n");
    assert!(answer.contains("Content-Length: 3\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let served = Served::new("outside");
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/part/../../secret.txt",
        "/..\\secret.txt",
        "//../secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/%00",
        "/%ff",
        "secret.txt",
        "http://here/",
    ] {
        let answer = served.get(path);
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    // A malformed escape stands for itself.
    for path in ["/etc/passwd", "/%zz", "/%f"] {
        let answer = served.get(path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert!(served.get("//part//").starts_with("HTTP/1.1 200"));
}

#[test]
fn odd_requests_get_an_answer() {
    let served = Served::new("odd");
    let answer = served.raw(b"POST / HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("Allow: GET, HEAD\r\n"));
    assert!(served.raw(b"\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(served.raw(b"GET / HTTP/1.1\r\n").starts_with("HTTP/1.1 400"), "too slow");
    assert!(served.raw(b"GET /\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(served.raw(b"GET / HTTP/1.1\r\nX: \xff\r\n\r\n").starts_with("HTTP/1.1 400"));
    let mut long = b"GET / HTTP/1.1\r\nX: ".to_vec();
    long.resize(HEAD + 1, b'a');
    // The server must read everything before it closes, or the client sees a reset instead of the
    // answer.
    assert!(served.raw(&long).starts_with("HTTP/1.1 400"));
}

/// Connects to the events of `edition`, and reads until nothing comes for a while.
fn listen(served: &Served, edition: u64) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.write_all(format!("GET {EVENTS}?{edition} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    let heard = hear(&mut stream);
    (stream, heard)
}

/// Reads what comes within 300 ms.
fn hear(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard);
    heard
}

#[test]
fn an_open_page_hears_of_a_new_printing_and_why_there_is_none() {
    let served = Served::new("events");
    let edition = served.site.edition().number;
    let (mut stream, heard) = listen(&served, edition);
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), "{heard}");
    assert!(!heard.contains("data:"), "{heard}");

    served.site.with_readers_waiting(|| Err::<(), &str>("a.md:1: no \"x\"\nb.md:2")).unwrap_err();
    let fault = "event: fault\ndata: \"a.md:1: no \\\"x\\\"\\nb.md:2\"\n\n";
    let heard = hear(&mut stream);
    assert!(heard.contains(fault) && !heard.contains("changed"), "{heard}");
    // Once, until the fault is another.
    served.site.with_readers_waiting(|| Err::<(), &str>("a.md:1: no \"x\"\nb.md:2")).unwrap_err();
    assert!(!hear(&mut stream).contains("data:"));
    served.site.with_readers_waiting(|| Err::<(), &str>("c.md:3")).unwrap_err();
    assert!(hear(&mut stream).contains("data: \"c.md:3\"\n\n"));
    // A page that is opened now hears of it, too.
    assert!(listen(&served, edition).1.contains("data: \"c.md:3\"\n\n"));

    served.site.with_readers_waiting(|| Ok::<(), &str>(())).unwrap();
    assert!(hear(&mut stream).contains("data: changed"));
    // A page from an earlier printing hears at once, one from this hears nothing.
    assert!(served.get(&format!("{EVENTS}?{edition}")).contains("data: changed"));
    let heard = listen(&served, edition + 1).1;
    assert!(!heard.contains("data:"), "{heard}");
}

#[test]
fn connections_are_bounded_and_released() {
    let served = Served::new("bounded");
    let idle: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    thread::sleep(Duration::from_millis(200));
    assert!(served.site.connections.load(Ordering::Relaxed) <= CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut refused = TcpStream::connect(served.address).unwrap();
        let mut nothing = Vec::new();
        let _ = refused.read_to_end(&mut nothing);
        assert!(nothing.is_empty());
    }
    drop(idle);
    thread::sleep(Duration::from_millis(200));
    assert!(served.get("/").starts_with("HTTP/1.1 200"));
}
