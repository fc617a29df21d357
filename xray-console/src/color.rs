//! Colours: X-Ray's for health (red fault, yellow error, purple throttle, green ok), and one for each service.

use crate::entity::Health;

/// How a piece of text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Health(Health),
    Service(u8),
}

/// Eight hues that are told apart on dark and on light ground and are none of health's, of the 256-colour table.
const SERVICE_HUES: [u8; 8] = [39, 43, 75, 110, 67, 37, 80, 104];

impl Style {
    /// The colour of a service: the same in every run.
    pub(crate) fn of_service(name: &str) -> Self {
        let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = name.bytes().fold(0x811c_9dc5, fnv);
        Self::Service(SERVICE_HUES[(hash % 8) as usize])
    }
}

/// Appends `text` in `style`; as it is where colours are off.
pub(crate) fn paint(out: &mut String, text: &str, style: Style, color: bool) {
    let code = match style {
        _ if !color || text.is_empty() => None,
        Style::Plain => None,
        Style::Bold => Some("1".to_owned()),
        Style::Dim => Some("2".to_owned()),
        Style::Health(Health::Fault) => Some("31".to_owned()),
        Style::Health(Health::Error) => Some("33".to_owned()),
        Style::Health(Health::Throttle) => Some("35".to_owned()),
        Style::Health(Health::Ok) => Some("32".to_owned()),
        Style::Service(hue) => Some(format!("38;5;{hue}")),
    };
    match code {
        Some(code) => {
            out.push_str("\x1b[");
            out.push_str(&code);
            out.push('m');
            out.push_str(text);
            out.push_str("\x1b[0m");
        }
        None => out.push_str(text),
    }
}
