//! The bar of one row: when it ran within its trace.

const LEFT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar from `from` to `to`, both fractions of the whole, in `cells` columns. It is drawn to an eighth of a cell and
/// is never invisible. The end of an `open` one fades.
pub(crate) fn bar(from: f64, to: f64, cells: usize, open: bool, ascii: bool) -> String {
    let eighths = cells * 8;
    let scale = |fraction: f64| fraction.clamp(0.0, 1.0) * eighths as f64;
    let start = (scale(from).floor() as usize).min(eighths.saturating_sub(1));
    let end = (scale(to).ceil() as usize).clamp(start + 1, eighths.max(start + 1));
    let cell = |index: usize| {
        let (low, high) = (index * 8, index * 8 + 8);
        let (from, to) = (start.max(low), end.min(high));
        if from >= to {
            return ' ';
        }
        match to - from {
            _ if ascii => '#',
            length if from == low || to < high => LEFT[length],
            // Only a half and an eighth exist as blocks on the right side.
            1..=2 => '▕',
            3..=5 => '▐',
            _ => '█',
        }
    };
    let mut bar: Vec<char> = (0..cells).map(cell).collect();
    if open && let Some(last) = bar.iter().rposition(|c| *c != ' ') {
        bar[last] = if ascii { '>' } else { '░' };
        if !ascii && last > 0 && bar[last - 1] != ' ' {
            bar[last - 1] = '▒';
        }
    }
    bar.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth() {
        let cases = [
            (0.0, 1.0, "████"),
            (0.0, 0.5, "██  "),
            (0.5, 1.0, "  ██"),
            (0.125, 0.5, "▐█  "),
            (0.0, 0.28125, "█▏  "),
            (0.0, 0.0, "▏   "),
            (1.0, 1.0, "   ▕"),
            (-9.0, 9.0, "████"),
            (f64::NAN, f64::NAN, "▏   "),
            (0.9, 0.1, "   ▏"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(bar(from, to, 4, false, false), expected, "{from} to {to}");
        }
        assert_eq!(bar(0.0, 1.0, 4, true, false), "██▒░");
        assert_eq!(bar(0.25, 1.0, 4, true, true), " ##>");
        assert_eq!(bar(0.0, 1.0, 0, true, true), "");
    }
}
