//! The text of a query without its literals.

/// What engines disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A quote in a text is doubled. Double quotes, brackets and backticks hold names, but SQLite takes a name that it does not know for a
    /// text.
    Sqlite,
    /// Double quotes and brackets hold names, comments stand in comments, `$1.5` is money.
    SqlServer,
    /// Double quotes hold names, `q'[..]'` texts.
    Oracle,
    /// `E'..'`, `$tag$..$tag$`, comments in comments.
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
        } else if is(&["sqlite"]) {
            Self::Sqlite
        } else if is(&["sql server", "sqlserver", "mssql", "ms sql"]) {
            Self::SqlServer
        } else if is(&["oracle"]) {
            Self::Oracle
        } else {
            Self::Unknown
        }
    }
}

/// Puts `?` in the place of texts and numbers, and a space in the place of comments. Names, keywords and parameters
/// (`?`, `?1`, `$1`, `:name`, `@name`) stay. A literal that is not closed reaches to the end.
pub(super) fn without_literals(query: &str, dialect: Dialect) -> String {
    let out = String::with_capacity(query.len());
    let mut reader = Reader { text: query, at: 0, dialect, out, is_compared: false, is_listed: false };
    while reader.step() {}
    reader.out
}

struct Reader<'q> {
    text: &'q str,
    at: usize,
    dialect: Dialect,
    out: String,
    /// Whether it is behind an operator, or in a list of values: there a text is more likely than a name.
    is_compared: bool,
    is_listed: bool,
}

impl Reader<'_> {
    /// Reads one token; false at the end.
    fn step(&mut self) -> bool {
        use Dialect as D;
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        match (first, self.dialect) {
            ('\'', dialect) => self.text_literal('\'', dialect == D::MySql),
            ('"', D::MySql) => self.text_literal('"', true),
            ('"', D::Unknown) => self.text_literal('"', false),
            ('"', D::Sqlite) if self.expects_text(rest) => self.text_literal('"', false),
            ('"', _) | ('`', D::MySql | D::Sqlite | D::Unknown) => self.name(first),
            ('[', D::Sqlite | D::SqlServer) => self.name(']'),
            ('-', _) if rest.starts_with("--") => self.dashes(),
            ('#', D::MySql) => self.line_comment(),
            // A comment, or what holds other signs that are no quotes.
            ('#', D::Unknown) => self.leave_out(),
            ('/', _) if rest.starts_with("/*") => self.comment(),
            ('$', D::Postgres | D::Unknown) if dollar_tag(rest).is_some() => self.dollar_text(),
            ('$', D::SqlServer) if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            // An operator; the bounds of a slice, which are numbers, or a cast.
            ('@' | ':', D::Postgres) => self.copy(1),
            (':', D::MySql) => self.copy(1),
            ('?' | '$' | ':' | '@', _) => self.copy(1 + word_length(&rest[1..])),
            ('0'..='9', _) => self.number(),
            ('.', _) if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            _ if is_word(first) => self.word(),
            ('=' | '<' | '>' | '|', _) => {
                self.is_compared = true;
                self.copy(1);
            }
            (',', _) => {
                self.is_compared = false;
                self.copy(1);
            }
            _ => self.copy(first.len_utf8()),
        }
        true
    }

    fn copy(&mut self, length: usize) {
        self.out.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// What it means is for the engine to say, and so is what all that follows means.
    fn leave_out(&mut self) {
        self.at = self.text.len();
    }

    /// A keyword or a name; of a literal such as `X'53'` and `E'a'` the letter before it goes too.
    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let length = word_length(rest);
        let (word, after) = rest.split_at(length);
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        if after.starts_with('\'')
            && is(&["q", "nq"])
            && matches!(self.dialect, Dialect::Oracle | Dialect::Unknown)
        {
            self.at += length;
            self.bracketed_text();
        } else if after.starts_with('\'') && is(&["x", "b", "n", "e", "u", "r"]) {
            self.at += length;
            let escapes = match self.dialect {
                Dialect::MySql => true,
                Dialect::Postgres => is(&["e"]),
                _ => false,
            };
            self.text_literal('\'', escapes);
            // It goes on behind a line's end, as what it is.
            while escapes
                && self.dialect == Dialect::Postgres
                && let Some(length) = continued(&self.text[self.at..])
            {
                self.copy(length);
                self.text_literal('\'', true);
            }
        } else if is(&["u"]) && after.starts_with("&'") {
            self.at += length + 1;
            self.text_literal('\'', false);
        } else {
            let is_operator = is(&["like", "glob", "match", "regexp", "between", "then", "else"]);
            let is_list = is(&["values", "in"]);
            // A function changes nothing.
            if is_operator || is_list || !after.trim_start().starts_with('(') {
                (self.is_compared, self.is_listed) = (is_operator, is_list);
            }
            self.copy(length);
        }
    }

    /// Whether what stands in double quotes here may be a text to SQLite. A name that is a part of a longer one is none.
    fn expects_text(&self, rest: &str) -> bool {
        let is_qualified = self.out.ends_with('.')
            || rest[1..].split_once('"').is_some_and(|(_, after)| after.starts_with('.'));
        (self.is_compared || self.is_listed) && !is_qualified
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
                '\\' if escapes => _ = signs.next(),
                _ if sign == quote && signs.next_if(|(_, next)| *next == quote).is_none() => {
                    self.at = start + at + quote.len_utf8();
                    return;
                }
                _ => {}
            }
        }
    }

    /// `'[it's]'`, behind the letter.
    fn bracketed_text(&mut self) {
        self.out.push('?');
        let rest = &self.text[self.at + 1..];
        let close = rest.chars().next().map(|open| match open {
            '[' => ']',
            '(' => ')',
            '{' => '}',
            '<' => '>',
            other => other,
        });
        let end = close.and_then(|close| {
            let inside = rest.char_indices().nth(1)?.0;
            let end = inside + rest[inside..].find(&format!("{close}'"))?;
            Some(self.at + 1 + end + close.len_utf8() + 1)
        });
        self.at = end.unwrap_or(self.text.len());
    }

    /// A quoted name, with its quotes.
    fn name(&mut self, close: char) {
        let doubles = close == ']' && self.dialect == Dialect::SqlServer;
        let mut signs = self.text[self.at..].char_indices().skip(1).peekable();
        while let Some((at, sign)) = signs.next() {
            if sign == close && !(doubles && signs.next_if(|(_, next)| *next == close).is_some()) {
                return self.copy(at + sign.len_utf8());
            }
        }
        // No name is open to the end: nobody knows what it is.
        self.out.push('?');
        self.leave_out();
    }

    /// A comment; to MySQL only where a space follows.
    fn dashes(&mut self) {
        let is_comment = self.text[self.at + 2..]
            .chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || next.is_control());
        match self.dialect {
            Dialect::MySql if !is_comment => self.copy(1),
            Dialect::Unknown if !is_comment => self.leave_out(),
            _ => self.line_comment(),
        }
    }

    fn line_comment(&mut self) {
        self.out.push(' ');
        let rest = &self.text[self.at..];
        let end = match self.dialect {
            Dialect::Postgres => rest.find(['\n', '\r']),
            _ => rest.find('\n'),
        };
        self.at = end.map_or(self.text.len(), |end| self.at + end);
    }

    fn comment(&mut self) {
        self.out.push(' ');
        let rest = &self.text[self.at..];
        if self.dialect == Dialect::MySql && (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
            // It is executed, so that its texts are texts.
            self.at += 3;
            return;
        }
        let mut depth = 0;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with("/*") && depth > 0 && self.dialect == Dialect::Unknown {
                return self.leave_out();
            }
            let nests = depth == 0 || matches!(self.dialect, Dialect::Postgres | Dialect::SqlServer);
            if rest.starts_with("/*") && nests {
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

/// How far it is to where a text goes on: blanks with a line's end among them, then a quote.
fn continued(text: &str) -> Option<usize> {
    let length = text.len() - text.trim_start().len();
    (text[length..].starts_with('\'') && text[..length].contains(['\n', '\r'])).then_some(length)
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
        for dialect in [
            Dialect::Sqlite,
            Dialect::SqlServer,
            Dialect::Oracle,
            Dialect::Postgres,
            Dialect::MySql,
            Dialect::Unknown,
        ] {
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
        for dialect in [Dialect::Sqlite, Dialect::SqlServer, Dialect::Oracle, Dialect::Postgres] {
            is(dialect, r"where a = 'C:\' and b = 'c'", "where a = ? and b = ?");
            is(dialect, "select \"a 1\"", "select \"a 1\"");
        }
        is(Dialect::MySql, r"where a = 'it\'s' and b = 'c'", "where a = ? and b = ?");
        is(Dialect::MySql, "where a = \"x\" # secret", "where a = ?  ");
        is(Dialect::MySql, "select 5--'a\nb', 6 -- c\n", "select ?--?, ?  \n");
        is(Dialect::MySql, "/*!40101 set a = '*/' */", " ? set a = ? */");
        is(Dialect::Sqlite, "select \"a 1\", [b 2]", "select \"a 1\", [b 2]");
        is(Dialect::SqlServer, "select [b]]'2], $12.50, /* /* 'a' */ 'b' */ @x", "select [b]]'2], ?,   @x");
        is(Dialect::Oracle, "select q'[it's]', Nq'!a'b!', :1 from dual", "select ?, ?, :1 from dual");
        is(Dialect::Oracle, "select q'[it's", "select ?");
        is(
            Dialect::Postgres,
            r"select E'a\'b', $$it's$$, $t$ $$ $t$, a[1:2]::text where b = $1",
            "select ?, ?, ?, a[?:?]::text where b = $1",
        );
        is(Dialect::Postgres, "select 1 /* a /* 'b' */ 'c' */ + 2", "select ?   + ?");
        is(Dialect::Postgres, "U&'d' = a", "? = a");
        is(Dialect::Postgres, "select E'a'\n  'it\\'s', 'b'\n'c\\'", "select ?\n  ?, ?\n?");
    }

    #[test]
    fn what_sqlite_may_take_for_a_text_goes() {
        for (query, clean) in [
            (r#"where "a" = "b" and "c" in ("d", "e")"#, r#"where "a" = ? and "c" in (?, ?)"#),
            (
                r#"insert into "t" ("a", "b") values ("x", lower("y"), "z") on conflict ("a") do nothing"#,
                r#"insert into "t" ("a", "b") values (?, lower(?), ?) on conflict ("a") do nothing"#,
            ),
            (r#"on "a"."id" = "b"."id" and "c" like "d%""#, r#"on "a"."id" = "b"."id" and "c" like ?"#),
            (r#"update "t" set "a" = ?1, "b" = ?2"#, r#"update "t" set "a" = ?1, "b" = ?2"#),
        ] {
            is(Dialect::Sqlite, query, clean);
        }
    }

    #[test]
    fn where_the_engine_is_not_known_the_doubtful_rest_is_left_out() {
        is(Dialect::Unknown, r"where a = 'b\' and c = 'd' and e", "where a = ?");
        is(Dialect::Unknown, r"where a = 'b\n' and c = 'd'", "where a = ? and c = ?");
        is(Dialect::Unknown, "where \"a\" = E'b' # it's", "where ? = ? ");
        is(Dialect::Unknown, "where a = /* b /* c */ 'd' */", "where a =  ");
        is(Dialect::Unknown, "where a = 5--'b", "where a = ?");
    }

    #[test]
    fn engines_are_known_by_their_names() {
        use Dialect as D;
        for (names, dialect) in [
            (&["SQLite", "sqlite3"][..], D::Sqlite),
            (&["PostgreSQL", "Postgres"], D::Postgres),
            (&["MySQL", "MariaDB"], D::MySql),
            (&["Microsoft SQL Server", "MS SQL", "MSSQL"], D::SqlServer),
            (&["Oracle"], D::Oracle),
            (&["Cassandra", ""], D::Unknown),
        ] {
            assert!(names.iter().all(|name| D::of(Some(name)) == dialect), "{names:?}");
        }
        assert_eq!(D::of(None), D::Unknown);
    }
}
