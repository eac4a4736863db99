//! The same metrics by other crates, each in the way that its documentation recommends.

use perf_proved::measuring::monitor::{self, Format};
use std::fmt;

/// A registry with a counter `events` and a histogram `seconds`, both with a label `kind`.
pub trait Peer: Sized + 'static {
    /// The handle of a counter.
    type Counter: Sync;
    /// The handle of a histogram.
    type Histogram: Sync;

    /// Registers both metrics. No other labels than these come.
    fn new(labels: &[String], bounds: &[f64]) -> Self;

    /// Returns a handle of the counter with this label.
    fn counter(&self, label: &str) -> Self::Counter;

    fn add(counter: &Self::Counter, number: u64);

    /// Looks a counter up by its label, and adds 1.
    fn look_up(&self, label: &str);

    /// Returns a handle of the histogram with this label.
    fn histogram(&self, label: &str) -> Self::Histogram;

    fn observe(histogram: &Self::Histogram, number: f64);

    /// Appends all metrics to `out`.
    fn render(&self, out: &mut Vec<u8>);

    /// Returns the sum of the series of `events`, or of the counts of `seconds`.
    fn total(&self, metric: &str) -> u64 {
        let mut out = vec![];
        self.render(&mut out);
        let text = String::from_utf8(out).expect("text");
        let of = |name: &str| {
            let names = [format!("{name}{{"), format!("{name}_total{{"), format!("{name}_count{{")];
            let lines = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
            let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            numbers.sum::<f64>() as u64
        };
        of(metric)
    }
}

/// This chapter's.
pub struct Own {
    registry: monitor::Registry,
    events: monitor::Family<monitor::Counter>,
    seconds: monitor::Family<monitor::Histogram>,
}

impl Peer for Own {
    type Counter = monitor::Counter;
    type Histogram = monitor::Histogram;

    fn new(_: &[String], bounds: &[f64]) -> Self {
        let registry = monitor::Registry::new();
        let events = registry.counter("events", "Events.", &["kind"]).expect("a valid name");
        let buckets = monitor::Buckets::new(bounds).expect("valid bounds");
        let seconds = registry.histogram("seconds", "Times.", &["kind"], buckets);
        Self { registry, events, seconds: seconds.expect("a valid name") }
    }

    fn counter(&self, label: &str) -> Self::Counter {
        self.events.with(&[label])
    }

    fn add(counter: &Self::Counter, number: u64) {
        counter.add(number);
    }

    fn look_up(&self, label: &str) {
        self.events.with(&[label]).increment();
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        self.seconds.with(&[label])
    }

    fn observe(histogram: &Self::Histogram, number: f64) {
        histogram.observe(number);
    }

    fn render(&self, out: &mut Vec<u8>) {
        self.registry.render(Format::Prometheus, out);
    }
}

/// `metrics`, with the recorder of `metrics-exporter-prometheus`. Its histograms have buckets,
/// since those without keep each observation until the next export.
pub struct Metrics(metrics_exporter_prometheus::PrometheusRecorder);

const METADATA: metrics::Metadata<'static> =
    metrics::Metadata::new("bench", metrics::Level::INFO, None);

impl Metrics {
    fn key(name: &'static str, label: &str) -> metrics::Key {
        metrics::Key::from_parts(name, vec![metrics::Label::new("kind", label.to_owned())])
    }
}

impl Peer for Metrics {
    type Counter = metrics::Counter;
    type Histogram = metrics::Histogram;

    fn new(_: &[String], bounds: &[f64]) -> Self {
        let builder = metrics_exporter_prometheus::PrometheusBuilder::new();
        Self(builder.set_buckets(bounds).expect("there are some").build_recorder())
    }

    fn counter(&self, label: &str) -> Self::Counter {
        metrics::Recorder::register_counter(&self.0, &Self::key("events", label), &METADATA)
    }

    fn add(counter: &Self::Counter, number: u64) {
        counter.increment(number);
    }

    fn look_up(&self, label: &str) {
        self.counter(label).increment(1);
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        metrics::Recorder::register_histogram(&self.0, &Self::key("seconds", label), &METADATA)
    }

    fn observe(histogram: &Self::Histogram, number: f64) {
        histogram.record(number);
    }

    fn render(&self, out: &mut Vec<u8>) {
        self.0.handle().render_to_write(out).expect("a vector takes all");
    }
}

/// `prometheus-client`. A look-up needs an owned label.
pub struct PrometheusClient {
    registry: prometheus_client::registry::Registry,
    events: ClientFamily<ClientCounter>,
    seconds: ClientFamily<ClientHistogram, HistogramOf>,
}

type ClientFamily<M, C = fn() -> M> = prometheus_client::metrics::family::Family<Kind, M, C>;
type ClientCounter = prometheus_client::metrics::counter::Counter;
type ClientHistogram = prometheus_client::metrics::histogram::Histogram;

#[derive(Clone, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone)]
struct HistogramOf(Vec<f64>);

impl prometheus_client::metrics::family::MetricConstructor<ClientHistogram> for HistogramOf {
    fn new_metric(&self) -> ClientHistogram {
        ClientHistogram::new(self.0.iter().copied())
    }
}

impl Kind {
    fn of(label: &str) -> Self {
        Self { kind: label.to_owned() }
    }
}

impl Peer for PrometheusClient {
    type Counter = ClientCounter;
    type Histogram = ClientHistogram;

    fn new(_: &[String], bounds: &[f64]) -> Self {
        let mut registry = prometheus_client::registry::Registry::default();
        let events = ClientFamily::<ClientCounter>::default();
        registry.register("events", "Events.", events.clone());
        let constructor = HistogramOf(bounds.to_vec());
        let seconds = ClientFamily::<_, HistogramOf>::new_with_constructor(constructor);
        registry.register("seconds", "Times.", seconds.clone());
        Self { registry, events, seconds }
    }

    fn counter(&self, label: &str) -> Self::Counter {
        self.events.get_or_create_owned(&Kind::of(label))
    }

    fn add(counter: &Self::Counter, number: u64) {
        counter.inc_by(number);
    }

    fn look_up(&self, label: &str) {
        self.events.get_or_create(&Kind::of(label)).inc();
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        self.seconds.get_or_create_owned(&Kind::of(label))
    }

    fn observe(histogram: &Self::Histogram, number: f64) {
        histogram.observe(number);
    }

    fn render(&self, out: &mut Vec<u8>) {
        let encoded = prometheus_client::encoding::text::encode(&mut Text(out), &self.registry);
        encoded.expect("a vector takes all");
    }
}

/// Bytes that are text.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// `prometheus`, without protocol buffers.
pub struct Prometheus {
    registry: prometheus::Registry,
    events: prometheus::IntCounterVec,
    seconds: prometheus::HistogramVec,
}

impl Peer for Prometheus {
    type Counter = prometheus::IntCounter;
    type Histogram = prometheus::Histogram;

    fn new(_: &[String], bounds: &[f64]) -> Self {
        let registry = prometheus::Registry::new();
        let options = prometheus::Opts::new("events", "Events.");
        let events = prometheus::IntCounterVec::new(options, &["kind"]).expect("a valid name");
        let options = prometheus::HistogramOpts::new("seconds", "Times.").buckets(bounds.to_vec());
        let seconds = prometheus::HistogramVec::new(options, &["kind"]).expect("a valid name");
        registry.register(Box::new(events.clone())).expect("a new name");
        registry.register(Box::new(seconds.clone())).expect("a new name");
        Self { registry, events, seconds }
    }

    fn counter(&self, label: &str) -> Self::Counter {
        self.events.with_label_values(&[label])
    }

    fn add(counter: &Self::Counter, number: u64) {
        counter.inc_by(number);
    }

    fn look_up(&self, label: &str) {
        self.events.with_label_values(&[label]).inc();
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        self.seconds.with_label_values(&[label])
    }

    fn observe(histogram: &Self::Histogram, number: f64) {
        histogram.observe(number);
    }

    fn render(&self, out: &mut Vec<u8>) {
        let encoder = prometheus::TextEncoder::new();
        let families = self.registry.gather();
        prometheus::Encoder::encode(&encoder, &families, out).expect("a vector takes all");
    }
}

/// The number of bounds that `measured`'s histograms have, by their type.
pub const BOUNDS: usize = 12;

/// `measured`, with all labels known beforehand.
pub struct Measured {
    events: std::sync::Arc<measured::CounterVec<KindSet>>,
    seconds: std::sync::Arc<measured::HistogramVec<KindSet, BOUNDS>>,
}

#[derive(Clone, Copy, measured::LabelGroup)]
#[label(set = KindSet)]
pub struct KindOf<'a> {
    #[label(fixed_with = lasso::RodeoReader)]
    kind: &'a str,
}

type MeasuredId = measured::metric::LabelId<KindSet>;

impl Peer for Measured {
    type Counter = (std::sync::Arc<measured::CounterVec<KindSet>>, MeasuredId);
    type Histogram = (std::sync::Arc<measured::HistogramVec<KindSet, BOUNDS>>, MeasuredId);

    fn new(labels: &[String], bounds: &[f64]) -> Self {
        let set = || KindSet::new(labels.iter().collect::<lasso::Rodeo>().into_reader());
        let bounds = bounds.try_into().expect("their number is that of the type");
        let thresholds = measured::metric::histogram::Thresholds::with_buckets(bounds);
        let seconds = measured::HistogramVec::with_label_set_and_metadata(set(), thresholds);
        Self { events: measured::CounterVec::with_label_set(set()).into(), seconds: seconds.into() }
    }

    fn counter(&self, label: &str) -> Self::Counter {
        (self.events.clone(), self.events.with_labels(KindOf { kind: label }))
    }

    fn add((events, id): &Self::Counter, number: u64) {
        events.get_metric(*id).inc_by(number);
    }

    fn look_up(&self, label: &str) {
        self.events.inc(KindOf { kind: label });
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        (self.seconds.clone(), self.seconds.with_labels(KindOf { kind: label }))
    }

    fn observe((seconds, id): &Self::Histogram, number: f64) {
        seconds.get_metric(*id).observe(number);
    }

    fn render(&self, out: &mut Vec<u8>) {
        use measured::metric::MetricFamilyEncoding;
        use measured::metric::name::MetricName;
        let mut encoder = measured::text::TextEncoder::new(out);
        let written = self.events.collect_family_into(MetricName::from_str("events"), &mut encoder);
        written.expect("a vector takes all");
        let name = MetricName::from_str("seconds");
        self.seconds.collect_family_into(name, &mut encoder).expect("a vector takes all");
        encoder.flush().expect("a vector takes all");
    }
}

/// `opentelemetry_sdk`, with bound instruments for handles. It makes no text: `render` collects
/// the numbers, which an exporter would format.
pub struct OpenTelemetry {
    reader: Reader,
    events: opentelemetry::metrics::Counter<u64>,
    seconds: opentelemetry::metrics::Histogram<f64>,
    _provider: opentelemetry_sdk::metrics::SdkMeterProvider,
}

#[derive(Clone, Debug)]
struct Reader(std::sync::Arc<opentelemetry_sdk::metrics::ManualReader>);

mod reader {
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::metrics::data::ResourceMetrics;
    use opentelemetry_sdk::metrics::reader::MetricReader;
    use opentelemetry_sdk::metrics::{InstrumentKind, Pipeline, Temporality};
    use std::sync::Weak;
    use std::time::Duration;

    impl MetricReader for super::Reader {
        fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
            self.0.register_pipeline(pipeline);
        }

        fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
            self.0.collect(metrics)
        }

        fn force_flush(&self) -> OTelSdkResult {
            self.0.force_flush()
        }

        fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
            self.0.shutdown_with_timeout(timeout)
        }

        fn temporality(&self, kind: InstrumentKind) -> Temporality {
            self.0.temporality(kind)
        }
    }
}

impl OpenTelemetry {
    fn kind(label: &str) -> [opentelemetry::KeyValue; 1] {
        [opentelemetry::KeyValue::new("kind", label.to_owned())]
    }

    fn collect(&self) -> opentelemetry_sdk::metrics::data::ResourceMetrics {
        use opentelemetry_sdk::metrics::reader::MetricReader;
        let mut metrics = opentelemetry_sdk::metrics::data::ResourceMetrics::default();
        self.reader.collect(&mut metrics).expect("it is registered");
        metrics
    }
}

impl Peer for OpenTelemetry {
    type Counter = opentelemetry::metrics::BoundCounter<u64>;
    type Histogram = opentelemetry::metrics::BoundHistogram<f64>;

    fn new(labels: &[String], bounds: &[f64]) -> Self {
        use opentelemetry::metrics::MeterProvider;
        use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider, Stream};
        let reader = Reader(std::sync::Arc::new(ManualReader::builder().build()));
        // Its bound on series is 2,000, unless a view sets another.
        let most = labels.len() + 1;
        let view = move |_: &_| Stream::builder().with_cardinality_limit(most).build().ok();
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).with_view(view);
        let provider = provider.build();
        let meter = provider.meter("bench");
        let seconds = meter.f64_histogram("seconds").with_boundaries(bounds.to_vec()).build();
        Self { reader, events: meter.u64_counter("events").build(), seconds, _provider: provider }
    }

    fn counter(&self, label: &str) -> Self::Counter {
        self.events.bind(&Self::kind(label))
    }

    fn add(counter: &Self::Counter, number: u64) {
        counter.add(number);
    }

    fn look_up(&self, label: &str) {
        self.events.add(1, &Self::kind(label));
    }

    fn histogram(&self, label: &str) -> Self::Histogram {
        self.seconds.bind(&Self::kind(label))
    }

    fn observe(histogram: &Self::Histogram, number: f64) {
        histogram.record(number);
    }

    fn render(&self, _: &mut Vec<u8>) {
        std::hint::black_box(self.collect());
    }

    fn total(&self, metric: &str) -> u64 {
        use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
        let metrics = self.collect();
        let all = metrics.scope_metrics().flat_map(|scope| scope.metrics());
        let count = |metric: &opentelemetry_sdk::metrics::data::Metric| match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                sum.data_points().map(|point| point.value()).sum()
            }
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                histogram.data_points().map(|point| point.count()).sum()
            }
            _ => 0,
        };
        all.filter(|found| found.name() == metric).map(count).sum()
    }
}
