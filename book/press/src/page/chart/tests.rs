use super::*;
use crate::model::Estimate;
use crate::units::Quantity;

fn estimate(value: f64) -> Estimate {
    Estimate { value, low: value * 0.95, high: value * 1.08, rounds: 9 }
}

fn series(name: &str, points: &[(&str, Option<f64>)]) -> Series {
    let points = points.iter().map(|(parameter, value)| Point {
        parameter: Some((*parameter).to_owned()).filter(|p| !p.is_empty()),
        value: value.map(estimate).ok_or_else(|| "not measured".to_owned()),
    });
    Series {
        name: name.to_owned(),
        subject: name == "sendfile",
        style: usize::from(name != "sendfile"),
        points: points.collect(),
    }
}

fn chart(series: Vec<Series>) -> Chart {
    Chart {
        quantity: Quantity::Time,
        y_label: "Time (lower is better)".to_owned(),
        x_label: Some("File size".to_owned()),
        title: "Sending \"a\" <file>".to_owned(),
        panels: vec![Panel { machine: "zen5".to_owned(), series, noise: None }],
    }
}

fn sweep() -> Chart {
    chart(vec![
        series("sendfile", &[("4KiB", Some(9e3)), ("64KiB", Some(2e4)), ("1MiB", Some(1.6e5))]),
        series("read_write", &[("1MiB", Some(3.1e5)), ("4KiB", Some(8e3)), ("64KiB", None)]),
    ])
}

fn count(html: &str, what: &str) -> usize {
    html.matches(what).count()
}

/// Returns the paths of one class.
fn paths<'a>(html: &'a str, class: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("class=\"{class}\"");
    html.split("<path ").filter_map(move |rest| {
        let (path, _) = rest.split_once("></path>")?;
        path.starts_with(&start).then_some(path)
    })
}

#[test]
fn a_sweep_is_one_html_block_without_ids() {
    let html = sweep().html("figures/a.csv").into_string();
    assert!(!html.contains("\n\n") && !html.contains(" id="));
    assert!(!html.contains("<file>"), "text is escaped");
    assert_eq!(
        count(&html, "<svg class=\"chart"),
        2,
        "one drawing for wide screens, one for narrow ones"
    );
    assert_eq!(count(&html, "role=\"img\" aria-label=\"Line chart: Sending"), 2);
}

#[test]
fn every_measured_point_has_its_interval() {
    let html = sweep().html("figures/a.csv").into_string();
    let whiskers: usize = paths(&html, "whisker").map(|path| count(path, "h6m-3 0V")).sum();
    assert_eq!(whiskers, 5 * 2);
}

#[test]
fn a_line_does_not_cross_a_size_without_a_measurement() {
    let html = sweep().html("figures/a.csv").into_string();
    let lines: Vec<&str> = paths(&html, "line").collect();
    // sendfile in one stretch, read_write in two: 4 KiB and 1 MiB, with 64 KiB missing between
    // them.
    assert_eq!(lines.len(), 3 * 2, "{lines:?}");
}

#[test]
fn the_table_has_every_value_by_size_with_headers() {
    let html = sweep().html("figures/a.csv").into_string();
    assert!(html.contains("<caption>Time (lower is better), zen5: value and interval</caption>"));
    let rows: Vec<usize> = ["4\u{a0}KiB</th>", "64\u{a0}KiB</th>", "1\u{a0}MiB</th>"]
        .iter()
        .map(|row| html.find(&format!("<th scope=\"row\">{row}")).unwrap())
        .collect();
    assert!(rows.is_sorted());
    assert_eq!(count(&html, "<td>"), 5);
    assert_eq!(count(&html, "<td class=\"missing\">not measured</td>"), 1);
}

#[test]
fn two_machines_share_a_scale() {
    let mut one = sweep();
    let mut slower = one.panels[0].clone();
    slower.machine = "Your machine".to_owned();
    for point in slower.series.iter_mut().flat_map(|s| &mut s.points) {
        point.value = point.value.clone().map(|e| estimate(e.value * 10.0));
    }
    one.panels.push(slower);
    let html = one.html("figures/a.csv").into_string();
    assert_eq!(count(&html, "<svg class=\"chart narrow\""), 2);
    assert_eq!(count(&html, "<p class=\"machine\">"), 2);
    let svgs: Vec<&str> = html.split("<svg class=\"chart").skip(1).collect();
    let grid = |svg: usize| paths(svgs[svg], "grid").collect::<Vec<_>>();
    assert_eq!(grid(0), grid(1));
    assert!(!grid(0).is_empty());
}

#[test]
fn names_become_bars_and_far_values_become_dots() {
    let near =
        chart(vec![series("first", &[("", Some(100.0))]), series("second", &[("", Some(250.0))])])
            .html("figures/a.csv")
            .into_string();
    assert_eq!(count(&near, "class=\"bar\""), 4);
    let far =
        chart(vec![series("atomic", &[("", Some(5.0))]), series("fsync", &[("", Some(2e6))])])
            .html("figures/a.csv")
            .into_string();
    assert_eq!(count(&far, "class=\"bar\""), 0);
    assert!(far.contains("Dot chart, logarithmic"));
    assert_eq!(count(&far, "class=\"whisker over\""), 4);
}

#[test]
fn two_sizes_are_no_line_and_a_series_alone_is_named_by_them() {
    let two = [("4KiB", Some(9e3)), ("1MiB", Some(1.6e5))];
    let html = chart(vec![series("sendfile", &two), series("read_write", &two)]).html("a.csv");
    let html = html.into_string();
    assert_eq!(count(&html, "class=\"line\""), 0);
    assert_eq!(count(&html, "class=\"group\">File size: 4\u{a0}KiB</text>"), 2);
    assert_eq!(count(&html, ">read_write</text>"), 4);
    let alone = chart(vec![series("sendfile", &two)]).html("a.csv").into_string();
    assert_eq!(count(&alone, "class=\"group\">File size: 4\u{a0}KiB</text>"), 2);
    assert_eq!(count(&alone, ">sendfile</text>"), 0);
}

#[test]
fn the_noise_floor_is_as_long_as_its_factor() {
    let mut noisy = sweep();
    noisy.panels[0].noise = Some(Noise { reach: 1.1 });
    let html = noisy.html("a.csv").into_string();
    assert_eq!(count(&html, "≤ 10 %</text>"), 2);
    assert!(html.contains("the same code, measured twice, differs by up to 10 %."));
    let lengths = |html: &str| -> Vec<f64> {
        let length = |path: &str| path.split_once("0v")?.1.split('m').next()?.parse().ok();
        paths(html, "bracket").filter_map(length).collect()
    };
    // A factor squared is twice as long.
    let short = lengths(&html);
    noisy.panels[0].noise = Some(Noise { reach: 1.1 * 1.1 });
    let long = lengths(&noisy.html("a.csv").into_string());
    assert_eq!((short.len(), long.len()), (2, 2));
    assert!(short.iter().zip(&long).all(|(short, long)| (long - 2.0 * short).abs() < 0.21));
    assert!(!sweep().html("a.csv").into_string().contains("bracket"));
}

#[test]
fn every_line_has_its_name_on_each_screen() {
    let html = sweep().html("a.csv").into_string();
    for name in ["sendfile", "read_write"] {
        assert_eq!(count(&html, &format!(">{name}</text>")), 2, "{name}");
    }
}

#[test]
fn a_machine_without_numbers_says_so() {
    let html = chart(vec![series("sendfile", &[("4KiB", None), ("64KiB", None)])])
        .html("figures/a.csv")
        .into_string();
    assert!(html.contains("<p class=\"placeholder\">not measured</p>"));
    assert_eq!(count(&html, "<svg class=\"chart"), 0);
}
