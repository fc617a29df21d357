//! The session that a request belongs to, told by its `baggage` header.

/// The names of Rollbar's members in a `baggage` header, each with the key of the item's attribute.
const MEMBERS: [(&str, &str); 2] =
    [("rollbar.session.id", "session_id"), ("rollbar.execution.scope.id", "execution_scope_id")];

/// The attributes (key, value) that a `baggage` header tells, in its order. Other members, and what is no member, are
/// passed over; names are compared case by case, values are kept as they are but for the white space around them.
pub(crate) fn attributes(header: &str) -> impl Iterator<Item = (&'static str, &str)> {
    header.split(',').filter_map(|member| {
        let (name, value) = member.split_once('=')?;
        let name = name.trim();
        let (_, key) = MEMBERS.into_iter().find(|(known, _)| *known == name)?;
        Some((key, value.trim()))
    })
}

/// The member names and values of a `baggage` header for these attributes; what is no attribute of a session is left
/// out, and so is a value that would not be read back as it is. None when nothing is left.
pub(crate) fn header<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut header = String::new();
    for (key, value) in attributes {
        let Some((name, _)) = MEMBERS.into_iter().find(|(_, known)| *known == key) else { continue };
        // Visible ASCII, and no separator of members or of their properties.
        if value.is_empty()
            || !value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b';'))
        {
            continue;
        }
        if !header.is_empty() {
            header.push_str(", ");
        }
        header.push_str(name);
        header.push('=');
        header.push_str(value);
    }
    (!header.is_empty()).then_some(header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str) -> Vec<(&'static str, &str)> {
        attributes(header).collect()
    }

    #[test]
    fn only_our_members_in_their_order() {
        assert_eq!(
            read("rollbar.execution.scope.id=e=1;p=2, a=b,rollbar.session.id = s ,rollbar.session.id="),
            [("execution_scope_id", "e=1;p=2"), ("session_id", "s"), ("session_id", "")]
        );
        assert_eq!(read("Rollbar.Session.Id=s, rollbar.session.id, =, ,,"), []);
    }

    #[test]
    fn what_cannot_be_read_back_is_not_sent() {
        let attributes = [("session_id", "s1"), ("replay_id", "r"), ("execution_scope_id", "a,b")];
        assert_eq!(header(attributes).as_deref(), Some("rollbar.session.id=s1"));
        assert_eq!(header([("session_id", "a\r\nb"), ("session_id", "")]), None);
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_back(session in "[!-~]{0,20}|.*", scope in "[0-9a-f]{32}") {
            let sent = [("session_id", session.as_str()), ("execution_scope_id", scope.as_str())];
            let header = header(sent).unwrap();
            let read = read(&header);
            prop_assert_eq!(read.last(), Some(&("execution_scope_id", scope.as_str())));
            prop_assert!(read.len() == 1 || read[0] == ("session_id", session.as_str()));
        }
    }
}
