//! Prints beliefs, overviews and live claims, and breaks each in turn.

mod common;
#[path = "common/site.rs"]
mod site;

use press::page::links;
use site::Site;

const BELIEFS: &str = "
```overview
of = \"beliefs\"
```

## On transfers

```belief
id = \"sendfile-wins\"
saying = \"`sendfile` always wins.\"
verdict = \"depends\"
on = \"the size\"
heard = \"https://www.example.org/sendfile.html\"
says = \"\"\"
It does from {{crossover sendfile sendfile read_write_64KiB}} on: at 1 MiB, the loop takes
{{found sendfile-1mib}} the time.\"\"\"
```

```live
claim = \"sendfile-syscalls\"
```

```overview
of = \"claims\"
```
";

/// A book with a belief that one claim supports and another one refutes.
fn site(name: &str) -> Site {
    let site = Site::new(&format!("beliefs-{name}"));

    site.edit(
        "book/src/README.md",
        "are [the machines](machines.md).\n",
        &format!("are [the machines](machines.md).\n{BELIEFS}"),
    );
    let blocks = "book/src/part/blocks.md";
    site.edit(
        blocks,
        "id = \"sendfile-1mib\"\n",
        "id = \"sendfile-1mib\"\nsupports = \"sendfile-wins\"\n",
    );
    site.edit(
        blocks,
        "id = \"sendfile-syscalls\"\n",
        "id = \"sendfile-syscalls\"\nrefutes = \"sendfile-wins\"\n",
    );
    site
}

#[test]
fn a_belief_shows_its_verdicts_its_answer_and_its_claims() {
    let site = site("shown");
    site.print().unwrap();
    let page = site.page("index.html");
    let (overview, rest) = page.split_once("id=\"on-transfers\"").unwrap();
    for shown in [
        "<a href=\"#belief-sendfile-wins\">“<code>sendfile</code> always wins.”</a>",
        "The verdict, on reference",
        "</span> depends</span> on the size</td>",
        // On the reader's machine, the count fails and the time holds.
        "</span> true</span> <small class=\"part\">(1 of 2 claims)</small></td>",
    ] {
        assert!(overview.contains(shown), "{shown} is not in {overview}");
    }
    let claims: serde_json::Value = serde_json::from_str(&site.page("claims.json")).unwrap();
    let beliefs = |id: &str| {
        let all = claims["claims"].as_array().unwrap();
        all.iter().find(|claim| claim["id"] == id).unwrap()["beliefs"].to_string()
    };
    assert_eq!(beliefs("sendfile-1mib"), "{\"sendfile-wins\":\"supports\"}");
    assert_eq!(beliefs("sendfile-syscalls"), "{\"sendfile-wins\":\"refutes\"}");
    assert_eq!(beliefs("uring-syscalls"), "{}");
    let (_, belief) = rest.split_once("<section class=\"belief depends\">").unwrap();
    let (belief, after) = belief.split_once("</section>").unwrap();
    for shown in [
        "id=\"belief-sendfile-wins\"",
        "<a href=\"machines/reference.html\">reference</a>",
        "your machine <small class=\"part\">(1 of 2 claims)</small>",
        "2 claims: 1 for, 1 against",
        "<b>For</b>: <a href=\"part/blocks.html#claim-sendfile-1mib\">",
        "<b>Against</b>: <a href=\"part/blocks.html#claim-sendfile-syscalls\">",
        "<a href=\"part/blocks.html\">Every kind of block</a>",
        "<a href=\"https://www.example.org/sendfile.html\">example.org</a>",
        "<a class=\"brief verdict holds\" href=\"part/blocks.html#claim-sendfile-1mib\">",
    ] {
        assert!(belief.contains(shown), "{shown} is not in {belief}");
    }
    assert!(!page.contains("```") && !page.contains("{{"), "a block was left as it was");
    let (live, tally) = after.split_once("class=\"tally\"").unwrap();
    for shown in [
        "<article class=\"live holds\">",
        "<a href=\"part/blocks.html#claim-sendfile-syscalls\">A 1 MiB file leaves in 1 system call.</a>",
        // A block that is copied whole holds the command and no output.
        "<pre><code class=\"language-sh\">cargo run --release --example sendfile -- --json</code></pre>",
        "<pre><code class=\"language-text\">{…\"sendfile.syscalls\":1,\n…}</code></pre>",
        "Prove it: <code class=\"command\">cargo book check --claim sendfile-syscalls</code>",
    ] {
        assert!(live.contains(shown), "{shown} is not in {live}");
    }
    let rows: Vec<&str> = tally.split("<tr>").filter(|row| row.contains("<td>")).collect();
    let counted = rows.iter().find(|row| row.contains(">counted</th>")).unwrap();
    assert!(counted.contains("<td>3</td><td>1</td><td>1</td><td>1</td>"), "{counted}");
    assert!(rows.last().unwrap().contains("<a href=\"claims.html\">every claim</a>"));
    assert_eq!(links::check(&site.root.join("book/book")).unwrap().problems, [""; 0]);

    // A page that was printed where nothing was measured shows the recorded machines alone.
    std::fs::remove_dir_all(site.root.join("book/machines/here")).unwrap();
    site.print().unwrap();
    let page = site.page("index.html");
    let (_, belief) = page.split_once("<section class=\"belief depends\">").unwrap();
    let (standings, _) = belief.split_once("</ul>").unwrap();
    assert!(standings.contains("machines/reference.html"), "{standings}");
    assert!(!standings.contains("your machine"), "{standings}");
}

#[test]
fn a_belief_that_nothing_supports_stops_the_build_and_is_named() {
    let blocks = "book/src/part/blocks.md";
    let refused = |name: &str, path: &str, from: &str, to: &str| {
        let site = site(name);
        site.edit(path, from, to);
        site.print().unwrap_err().to_string()
    };
    let supports = "supports = \"sendfile-wins\"\n";
    let refutes = "refutes = \"sendfile-wins\"\n";
    let said = refused("false", blocks, supports, "");
    let expected = "the belief `sendfile-wins` is declared `depends`, but on reference its claims \
                    make it `false`: `sendfile-syscalls`, which refutes it, holds";
    assert!(said.contains("book/src/README.md:") && said.contains(expected), "{said}");
    let said = refused("flipped", blocks, "at_most = 1\n", "at_most = 0\n");
    assert!(said.contains("make it `true`: ") && said.contains("refutes it, fails"), "{said}");
    let said = refused("unknown", blocks, refutes, "refutes = \"sendfile-win\"\n");
    let expected = "the claim `sendfile-syscalls` refutes the belief `sendfile-win`, which no page";
    assert!(said.contains(expected), "{said}");
    let site = site("alone");
    site.edit(blocks, supports, "");
    site.edit(blocks, refutes, "");
    let said = site.print().unwrap_err().to_string();
    assert!(said.contains("no claim bears on the belief `sendfile-wins`"), "{said}");
}

#[test]
fn what_a_belief_or_a_live_claim_refers_to_exists() {
    for (name, from, to, expected) in [
        ("claim", "{{found sendfile-1mib}}", "{{found gone}}", "no page claims `gone`"),
        (
            "group",
            "{{crossover sendfile sendfile",
            "{{crossover sent sendfile",
            "the group of `sent`",
        ),
        ("live", "claim = \"sendfile-syscalls\"", "claim = \"gone\"", "no page claims `gone`"),
    ] {
        let site = site(name);
        site.edit("book/src/README.md", from, to);
        let said = site.print().unwrap_err().to_string();
        assert!(said.contains("book/src/README.md:") && said.contains(expected), "{said}");
    }
}
