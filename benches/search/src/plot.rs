//! Latencies drawn over the number of records.
//!
//! Comes in: named series of (records, microseconds). Goes out: an SVG file, both axes logarithmic. A series whose name
//! ends in `p99` is dashed, and has the colour of the one that is named alike but for that.

use std::{ops::Range, path::Path};

use plotters::{element::DashedPathElement, prelude::*};

const SIZE: (u32, u32) = (1_080, 560);
/// Beside the chart, so that it covers no line.
const LEGEND_WIDTH: u32 = 220;
const LEGEND_TOP: i32 = 60;
const LEGEND_LINE: i32 = 20;
const LEGEND_SAMPLE: i32 = 24;
const DASH: i32 = 6;
const GAP: i32 = 4;

pub fn svg(path: &Path, series: &[(&str, Vec<(f64, f64)>)]) {
    let points = || series.iter().flat_map(|(_, points)| points);
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).expect("drawing");
    let (left, legend) = root.split_horizontally(SIZE.0 - LEGEND_WIDTH);
    let mut chart = ChartBuilder::on(&left)
        .caption("Time to answer a search", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(
            around(points().map(|(records, _)| *records)).log_scale(),
            around(points().map(|(_, micros)| *micros)).log_scale(),
        )
        .expect("drawing");
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("Records")
        .y_desc("Time for one search")
        .x_label_formatter(&|records| count(*records))
        .y_label_formatter(&|micros| time(*micros))
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 15))
        .draw()
        .expect("drawing");
    let mut subjects: Vec<&str> = Vec::new();
    for (line, (name, points)) in (0..).zip(series) {
        let (subject, dashed) = match name.strip_suffix("p99") {
            Some(subject) => (subject, true),
            None => (name.strip_suffix("p50").unwrap_or(name), false),
        };
        let subject = subject.trim_end();
        let at = subjects.iter().position(|known| *known == subject).unwrap_or_else(|| {
            subjects.push(subject);
            subjects.len() - 1
        });
        let style = ShapeStyle { color: Palette99::pick(at).to_rgba(), filled: false, stroke_width: 2 };
        let height = LEGEND_TOP + line * LEGEND_LINE;
        let sample = vec![(0, height), (LEGEND_SAMPLE, height)];
        if dashed {
            chart.draw_series(DashedLineSeries::new(points.clone(), DASH, GAP, style)).expect("drawing");
            legend.draw(&DashedPathElement::new(sample, DASH, GAP, style)).expect("drawing");
        } else {
            chart.draw_series(LineSeries::new(points.clone(), style)).expect("drawing");
            legend.draw(&PathElement::new(sample, style)).expect("drawing");
        }
        let place = (LEGEND_SAMPLE + 8, height - 7);
        legend.draw(&Text::new(*name, place, ("sans-serif", 13))).expect("drawing");
    }
    root.present().expect("the file is written");
}

/// From the least to the most, with room on both sides.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), v| (least.min(v), most.max(v)));
    least * 0.8..most * 1.6
}

fn count(records: f64) -> String {
    match records {
        millions if millions >= 1e6 => format!("{} million", millions / 1e6),
        thousands if thousands >= 1e3 => format!("{} thousand", thousands / 1e3),
        few => few.to_string(),
    }
}

fn time(micros: f64) -> String {
    match micros {
        seconds if seconds >= 1e6 => format!("{} s", seconds / 1e6),
        millis if millis >= 1e3 => format!("{} ms", millis / 1e3),
        micros => format!("{micros} µs"),
    }
}
