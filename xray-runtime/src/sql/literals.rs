//! The text of a query without its literals.

/// What engines disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SQLite, SQL Server, Oracle: a quote in a text is doubled, double quotes hold names.
    Standard,
    /// As the standard, and `E'..'`, `$tag$..$tag$`, comments in comments.
    Postgres,
    /// A backslash escapes, double quotes hold texts, `#` begins a comment.
    MySql,
    /// Where it matters, the rest is left out.
    Unknown,
}

impl Dialect {
    pub(super) fn of(database_type: Option<&str>) -> Self {
        let Some(name) = database_type else { return Self::Unknown };
        let name = name.to_ascii_lowercase();
        let is = |known: &[&str]| known.iter().any(|known| name.contains(known));
        if is(&["mysql", "maria"]) {
            Self::MySql
        } else if is(&["postgres", "redshift", "cockroach"]) {
            Self::Postgres
        } else if is(&["sqlite", "sql server", "mssql", "oracle"]) {
            Self::Standard
        } else {
            Self::Unknown
        }
    }
}

/// Puts `?` in the place of texts and numbers, and a space in the place of comments. Names, keywords and parameters
/// (`?`, `?1`, `$1`, `:name`, `@name`) stay. A literal that is not closed reaches to the end.
pub(super) fn without_literals(query: &str, dialect: Dialect) -> String {
    let mut reader = Reader { text: query, at: 0, dialect, out: String::with_capacity(query.len()) };
    while reader.step() {}
    reader.out
}

struct Reader<'q> {
    text: &'q str,
    at: usize,
    dialect: Dialect,
    out: String,
}

impl Reader<'_> {
    /// Reads one token; false at the end.
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        match first {
            '\'' => self.text_literal('\'', self.dialect == Dialect::MySql),
            '"' if matches!(self.dialect, Dialect::MySql) => self.text_literal('"', true),
            '"' | '`' => self.name(first),
            '[' if self.dialect == Dialect::Standard => self.name(']'),
            '-' if rest.starts_with("--") => self.line_comment(),
            '#' if self.dialect == Dialect::MySql => self.line_comment(),
            '/' if rest.starts_with("/*") => self.comment(),
            '$' if self.dialect != Dialect::MySql && dollar_tag(rest).is_some() => self.dollar_text(),
            '?' | '$' | ':' | '@' => self.copy(first.len_utf8() + word_length(&rest[first.len_utf8()..])),
            '0'..='9' => self.number(),
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            _ if is_word(first) => self.word(),
            _ => self.copy(first.len_utf8()),
        }
        true
    }

    fn copy(&mut self, length: usize) {
        self.out.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// A keyword or a name; of a literal such as `X'53'` and `E'a'` the letter before it goes too.
    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let length = word_length(rest);
        let (word, after) = rest.split_at(length);
        let is_prefix = ["x", "b", "n", "e", "u", "r"].iter().any(|prefix| word.eq_ignore_ascii_case(prefix));
        if is_prefix && after.starts_with('\'') {
            self.at += length;
            let escapes = self.dialect == Dialect::MySql || word.eq_ignore_ascii_case("e");
            self.text_literal('\'', escapes);
        } else if word.eq_ignore_ascii_case("u") && after.starts_with("&'") {
            self.at += length + 1;
            self.text_literal('\'', false);
        } else {
            self.copy(length);
        }
    }

    fn text_literal(&mut self, quote: char, escapes: bool) {
        self.out.push('?');
        let mut signs = self.text[self.at..].char_indices().skip(1).peekable();
        let start = self.at;
        self.at = self.text.len();
        while let Some((at, sign)) = signs.next() {
            match sign {
                // Whether the text ends here is for the engine to say.
                '\\' if self.dialect == Dialect::Unknown
                    && !escapes
                    && signs.peek().is_some_and(|(_, next)| *next == quote) =>
                {
                    return;
                }
                '\\' if escapes => {
                    signs.next();
                }
                _ if sign == quote && signs.next_if(|(_, next)| *next == quote).is_none() => {
                    self.at = start + at + quote.len_utf8();
                    return;
                }
                _ => {}
            }
        }
    }

    /// A quoted name, with its quotes.
    fn name(&mut self, close: char) {
        let length = self.text[self.at..].char_indices().skip(1).find(|(_, sign)| *sign == close);
        match length {
            Some((at, sign)) => self.copy(at + sign.len_utf8()),
            // No name is open to the end: nobody knows what it is.
            None => {
                self.out.push('?');
                self.at = self.text.len();
            }
        }
    }

    fn line_comment(&mut self) {
        self.out.push(' ');
        self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end);
    }

    fn comment(&mut self) {
        self.out.push(' ');
        let nests = matches!(self.dialect, Dialect::Postgres);
        let mut depth = 0;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with("/*") && (nests || depth == 0) {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
    }

    fn dollar_text(&mut self) {
        self.out.push('?');
        let rest = &self.text[self.at..];
        let tag = dollar_tag(rest).unwrap_or_default();
        let end = rest[tag.len()..].find(tag).map_or(rest.len(), |end| end + 2 * tag.len());
        self.at += end;
    }

    fn number(&mut self) {
        self.out.push('?');
        let bytes = &self.text.as_bytes()[self.at..];
        let hexadecimal = bytes.get(1).is_some_and(|second| second.eq_ignore_ascii_case(&b'x'));
        let mut length = 1;
        while let Some(&byte) = bytes.get(length) {
            let exponent = matches!(byte, b'+' | b'-')
                && !hexadecimal
                && bytes[length - 1].eq_ignore_ascii_case(&b'e')
                && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent) {
                break;
            }
            length += 1;
        }
        self.at += length;
    }
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

fn word_length(text: &str) -> usize {
    text.find(|sign: char| !is_word(sign) && sign != '$').unwrap_or(text.len())
}

/// `$$` or `$tag$` at the beginning; `$1` is a parameter.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find(|sign: char| !is_word(sign))? + 1;
    let is_tag = text[end..].starts_with('$') && !text[1..].starts_with(|first: char| first.is_ascii_digit());
    is_tag.then(|| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(dialect: Dialect, query: &str, clean: &str) {
        assert_eq!(without_literals(query, dialect), clean, "{query}");
    }

    #[test]
    fn texts_and_numbers_become_question_marks() {
        for dialect in [Dialect::Standard, Dialect::Postgres, Dialect::MySql, Dialect::Unknown] {
            is(dialect, "select * from a1 where b=1 and c = 'it''s'", "select * from a1 where b=? and c = ?");
            is(
                dialect,
                "values (-1.5e-3, .5, 0xFF, 1_000, x'53', N'ż', null)",
                "values (-?, ?, ?, ?, ?, ?, null)",
            );
            is(
                dialect,
                "where a=? and b=?1 and c=:name and d=@p1",
                "where a=? and b=?1 and c=:name and d=@p1",
            );
            is(dialect, "select 1 -- pw 'a'\n, 2 /* 'b' */ from t", "select ?  \n, ?   from t");
            is(dialect, "select `a1` from t2.c3", "select `a1` from t2.c3");
            is(dialect, "where a = 'open", "where a = ?");
            is(dialect, "", "");
        }
    }

    #[test]
    fn each_engine_is_read_as_it_reads() {
        is(Dialect::Standard, r"where a = 'C:\' and b = 'c'", "where a = ? and b = ?");
        is(Dialect::MySql, r"where a = 'it\'s' and b = 'c'", "where a = ? and b = ?");
        is(Dialect::MySql, "where a = \"x\" # secret", "where a = ?  ");
        is(Dialect::Standard, "select \"a 1\", [b 2]", "select \"a 1\", [b 2]");
        is(
            Dialect::Postgres,
            r"select E'a\'b', $$it's$$, $t$ $$ $t$, a[1] where b = $1",
            "select ?, ?, ?, a[?] where b = $1",
        );
        is(Dialect::Postgres, "select 1 /* a /* 'b' */ 'c' */ + 2", "select ?   + ?");
        is(Dialect::Postgres, "U&'d' = a", "? = a");
    }

    #[test]
    fn where_the_engine_is_not_known_the_doubtful_rest_is_left_out() {
        is(Dialect::Unknown, r"where a = 'b\' and c = 'd' and e", "where a = ?");
        is(Dialect::Unknown, r"where a = 'b\n' and c = 'd'", "where a = ? and c = ?");
    }

    #[test]
    fn engines_are_known_by_their_names() {
        use Dialect as D;
        let names = ["SQLite", "PostgreSQL", "MySQL", "MariaDB", "Microsoft SQL Server", "Cassandra"];
        let dialects = [D::Standard, D::Postgres, D::MySql, D::MySql, D::Standard, D::Unknown];
        assert_eq!(names.map(|name| D::of(Some(name))), dialects);
        assert_eq!(D::of(None), D::Unknown);
    }
}
