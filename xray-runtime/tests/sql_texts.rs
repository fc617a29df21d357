//! What of an address and of a query's text must never stand in a document, and what must stay as it is.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use xray_runtime::Sql;

/// Signs of which nothing but secrets is made here.
const SECRET: [char; 4] = ['Q', 'Z', 'ß', '7'];

fn clean(address: &str) -> String {
    let sql = Sql::new().with_connection(address);
    sql.url().or(sql.connection_string()).unwrap_or_default().to_owned()
}

/// What a document would have of the address: all of it without a secret.
fn checked(address: &str) -> Result<String, TestCaseError> {
    let sql = Sql::new().with_connection(address);
    let text = clean(address);
    for said in [&text, &sql.subsegment_name()] {
        prop_assert!(!said.contains(SECRET), "{:?} of {:?}", said, address);
    }
    prop_assert_eq!(clean(&text), text.clone(), "what is clean stays");
    Ok(text)
}

/// A secret with any of these signs in it.
fn secret(signs: &str) -> impl Strategy<Value = String> + use<> {
    let signs: Vec<char> = signs.chars().chain(SECRET).collect();
    vec(select(signs), 0..12).prop_map(String::from_iter)
}

fn secret_key() -> impl Strategy<Value = String> {
    const KEYS: [&str; 6] = ["password", "passwd", "pwd", "sslpassword", "token", "X-Amz-Security-Token"];
    (select(&KEYS[..]), any::<u32>()).prop_map(|(key, cases)| {
        let in_case = |(at, c): (usize, char)| {
            if cases >> (at % 32) & 1 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }
        };
        key.chars().enumerate().map(in_case).collect()
    })
}

fn host() -> impl Strategy<Value = String> {
    "([a-y]{1,8}(\\.[a-y]{2,5})?|\\[::1\\]|10\\.0\\.0\\.1)(:[1-6]{1,4})?(,[a-y]{1,5}(:[1-6]{2})?)?"
}

fn parameters() -> impl Strategy<Value = Vec<String>> {
    vec("(a|ssl-mode|host|tokens|user)=[a-y/1-6.%@_-]{0,6}|flag", 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_url_loses_the_password_and_nothing_else(
        scheme in option::of("(jdbc:|JDBC:)?(postgres|mysql|mongodb\\+srv|Redis|MsSql|a)"),
        user in "[a-y.%_-]{0,6}",
        mark in select(&[":", "/", "%2F", "%2f"][..]),
        password in secret("@:/#%!$,+*~ |"),
        host in host(),
        path in "(/[a-y_.-]{0,6})?",
    ) {
        let scheme = scheme.map_or(String::new(), |scheme| format!("{scheme}://"));
        let rest = format!("@{host}{path}");
        prop_assume!(!(user.is_empty() && mark == "/"));
        let clean = checked(&format!("{scheme}{user}{mark}{password}{rest}"))?;
        prop_assert_eq!(clean, format!("{scheme}{user}{rest}"));
    }

    #[test]
    fn a_password_of_an_url_may_hold_what_it_should_not(
        scheme in select(&["", "postgres://", "jdbc:mysql://", "//"][..]),
        user in "[a-y]{1,6}",
        password in secret("@:/#%?;{}'\"\\ "),
        host in host(),
        parameters in parameters(),
    ) {
        // That is a scheme.
        prop_assume!(!scheme.is_empty() || !password.starts_with("//"));
        // A query is what begins like one.
        prop_assume!(!password.contains('?') || parameters.is_empty());
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        let query = query.replace('@', "");
        let clean = checked(&format!("{scheme}{user}:{password}@{host}/db{query}"))?;
        prop_assert_eq!(clean, format!("{scheme}{user}@{host}/db{query}"));
    }

    #[test]
    fn a_query_loses_secret_parameters_and_nothing_else(
        scheme in select(&["", "postgres://", "jdbc:postgresql://", "sqlite://"][..]),
        host in host(),
        path in "(/[a-y_.-]{0,6})?",
        parameters in parameters(),
        secrets in vec((secret_key(), secret("@:/?=;+%{}'\"\\"), any::<prop::sample::Index>()), 1..3),
    ) {
        let mut all = parameters.clone();
        for (key, password, place) in secrets {
            all.insert(place.index(all.len() + 1), format!("{key}={password}"));
        }
        let clean = checked(&format!("{scheme}{host}{path}?{}", all.join("&")))?;
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        prop_assert_eq!(clean, format!("{scheme}{host}{path}{query}"));
    }

    #[test]
    fn parameters_behind_a_host_lose_secrets(
        scheme in select(&["jdbc:sqlserver://", "sqlserver://"][..]),
        user in option::of("[a-y]{1,5}"),
        host in host(),
        before in vec("(database|encrypt)=[a-y]{0,5}", 1..3),
        key in secret_key(),
        password in secret("@:/?=%'\"\\"),
        braced in any::<bool>(),
        after in vec("(x|user)=[a-y]{0,5}", 0..3),
    ) {
        prop_assume!(braced || !password.starts_with(['\'', '"', '{']));
        let password = if braced { format!("{{{};}}}}{password}}}", password) } else { password };
        let user = user.map_or(String::new(), |user| format!("{user}:Z@"));
        let start = format!("{host};{}", before.join(";"));
        let end: String = after.iter().map(|token| format!(";{token}")).collect();
        let clean = checked(&format!("{scheme}{user}{start};{key}={password}{end}"))?;
        prop_assert_eq!(clean, format!("{scheme}{}{start}{end}", user.replace(":Z", "")));
    }

    #[test]
    fn a_connection_string_loses_secret_parts_and_nothing_else(
        odbc in select(&["", "odbc:", "ODBC:"][..]),
        parts in subsequence(vec!["Server=db,1433", "Database=x", "UID=sa@t", "App={a}}b}", "Port=5", "flag"], 0..6),
        secrets in vec((secret_key(), "[ \t]?", secret("@:/?=%}\"'\\"), any::<prop::sample::Index>()), 1..3),
        ends in any::<bool>(),
    ) {
        let mut all: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        for (key, space, password, place) in secrets {
            // A value that begins with a quote ends with one.
            let password = password.trim_start_matches(['\'', '"']).to_owned();
            all.insert(place.index(all.len() + 1), format!("{space}{key}{space}={password}"));
        }
        // Else the first part decides that it is an address of another kind.
        prop_assume!(all[0] != "flag");
        let end = if ends && !parts.is_empty() { ";" } else { "" };
        let text = format!("{odbc}{}{end}", all.join(";"));
        prop_assume!(text.matches(';').count() > text.matches(' ').count());
        prop_assert_eq!(checked(&text)?, format!("{odbc}{}{end}", parts.join(";")));
    }

    #[test]
    fn a_string_of_libpq_loses_secret_parts_and_nothing_else(
        parts in subsequence(vec!["host=h", "dbname=x", "user=a@b", "port=5", "options='-c"], 0..5),
        secrets in vec((secret_key(), secret("@:/?%}=;"), any::<prop::sample::Index>()), 1..3),
    ) {
        let mut all: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        for (key, password, place) in secrets {
            all.insert(place.index(all.len() + 1), format!("{key}={password}"));
        }
        let text = all.join(" ");
        prop_assume!(text.matches(';').count() <= text.matches(' ').count());
        let clean = checked(&text)?;
        // Which of the two parts it is not always plain: then more goes.
        if !text.contains(';') {
            prop_assert_eq!(clean, parts.join(" "));
        }
    }

    #[test]
    fn values_in_braces_and_quotes_go_whole(
        key in secret_key(),
        password in secret("@:/?=%; \t&"),
        (open, close) in select(&[("{", "}"), ("'", "'"), ("\"", "\"")][..]),
        delimiter in select(&[";", "; ", " ", "\n", "\t"][..]),
        spaces in "[ ]?",
        place in 0..3_usize,
    ) {
        let doubled = format!("{password}{close}{close}{password}");
        let mut all = vec!["Server=db".to_owned(), "User=sa".to_owned()];
        all.insert(place, format!("{key}={spaces}{open}{doubled}{close}"));
        let clean = checked(&all.join(delimiter))?;
        // Where the delimiter is seldom, another that the secret has counts.
        for kept in ["Server=db", "User=sa"] {
            prop_assert!(password.contains([';', ' ']) || clean.contains(kept), "{:?}", clean);
        }
    }

    #[test]
    fn a_password_of_words_goes_whole_between_semicolons(
        parts in vec("(Server|App Name|Initial Catalog)=[a-y]{1,4}( [a-y]{1,4}){0,3}", 0..4),
        key in secret_key(),
        password in "[QZ7]{1,3}( [QZ7=]{1,3}){0,4}",
        delimiter in select(&[";", "; "][..]),
        place in any::<prop::sample::Index>(),
    ) {
        let mut all = parts.clone();
        all.insert(place.index(all.len() + 1), format!("{key}={password}"));
        checked(&format!("{};", all.join(delimiter)))?;
    }

    #[test]
    fn any_text_is_read_and_clean_stays_clean(address in any::<String>()) {
        let once = clean(&address);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn near_addresses_are_read_and_clean_stays_clean(
        address in "((jdbc:|odbc:|sqlite:|a)?(://|//|:)?(password|pwd|user|Server|%70wd|[a-c]|é)?[ \t]?([=@:/?#;&{}'\", ]|%2f|\\\\){0,3}){0,8}"
    ) {
        let once = clean(&address);
        prop_assert_eq!(clean(&once), once.clone(), "{:?}", address);
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is(
        scheme in select(&["", "postgres://", "sqlite://", "jdbc:oracle:thin:"][..]),
        user in "([a-y]{1,5}@)?",
        host in host(),
        path in "(/[a-y#.]{0,6})?",
        query in "(\\?([a-c]{1,3}(=[a-y]{0,3})?&?){0,3})?",
    ) {
        let address = format!("{scheme}{user}{host}{path}{query}");
        prop_assert_eq!(checked(&address)?, address);
    }
}

/// Texts, numbers and comments as an engine writes them: nothing of what stands in them may be left. A `'` in `signs` is doubled.
fn literals(engine: &str) -> Vec<&'static str> {
    let mut all =
        vec!["'{}'", "N'{}'", "x'{}'", "/* {} */", "-- {}\n", "77.7e-7", ".77", "0x77", "'{}' || '{}'"];
    match engine {
        "PostgreSQL" => {
            all.extend([
                "E'{}\\'{}'",
                "e'\\\\'",
                "$${}$$",
                "$a_1${}'$${}$a_1$",
                "U&'{}'",
                "/* {} /* {} */ {} */",
            ]);
            all.extend(["-- {}\r'\n{}'", "a[7:77]", "E'{}'\n '\\'{}'", "B'0'", "@7"]);
        }
        "MySQL" => all.extend([
            "'{}\\'{}'",
            "\"{}\"",
            "\"{}\\\"{}\"\"{}\"",
            "# {}\n",
            "_utf8mb4'{}'",
            "7--'{}\n{}'",
            "/*! '*/' '{}' */",
            "b'7'",
        ]),
        "SQLite" => all.extend([
            "a = \"{}\"",
            "'\\'",
            "in (\"{}\", \"{}\")",
            "values (\"{}\", lower(\"{}\"), \"{}\")",
        ]),
        "Microsoft SQL Server" => all.extend(["/* {} /* {} */ {} */", "$7.77", "[a]]'b]", "'\\'"]),
        "Oracle" => all.extend(["q'[{}]'", "q'{{}'{}}'", "nq'!it's {}!'", "Q'(')'", "'\\'"]),
        _ => all.extend([
            "\"{}\"",
            "$${}$$",
            "# {}\n",
            "'{}\\'{}'",
            "q'[{}]'",
            "E'{}\\'{}'",
            "/* {} /* {} */ {} */",
        ]),
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_literal_is_left(
        engine in select(&["PostgreSQL", "MySQL", "SQLite", "Microsoft SQL Server", "Oracle", "Cassandra"][..]),
        parts in vec((any::<prop::sample::Index>(), secret(" -#$/*,;:.="), any::<bool>()), 1..6),
    ) {
        let (all, mut query) = (literals(engine), "select a1".to_owned());
        for (which, inside, doubled) in parts {
            let inside = if doubled { format!("{inside}''{inside}") } else { inside };
            let literal = all[which.index(all.len())];
            // What would end another than a plain text.
            let is_text = literal.starts_with(['\'', '"']);
            let inside = if is_text { inside } else { inside.replace(['\'', '*', '$', '#', '-', '/'], "Q") };
            query.push_str(", ");
            query.push_str(&literal.replace("{}", &inside));
        }
        let sql = Sql::new().with_database_type(engine).with_query(&query);
        let clean = sql.sanitized_query().unwrap_or_default();
        prop_assert!(!clean.contains(SECRET), "{:?} of {:?}", clean, query);
        prop_assert!(clean.starts_with("select a1"), "{:?} of {:?}", clean, query);
    }

    #[test]
    fn names_and_parameters_stay(
        engine in select(&["PostgreSQL", "MySQL", "SQLite", "Microsoft SQL Server", "Oracle"][..]),
        words in vec(select(&["a1", "t2.c3", "order_4", "=", "<>", "(", ")", ",", "?", "*", "is null", "é8"][..]), 1..20),
    ) {
        let query = format!("select {} from t", words.join(" "));
        let sql = Sql::new().with_database_type(engine).with_query(&query);
        prop_assert_eq!(sql.sanitized_query(), Some(&*query));
    }

    #[test]
    fn any_query_is_read(
        engine in select(&["PostgreSQL", "MySQL", "SQLite", "Microsoft SQL Server", "Oracle", ""][..]),
        query in any::<String>(),
        near in "((e|q|u&|nq|x|_a)?['\"`$\\[\\]{}]{0,3}|[-/*#!]{1,3}|\\\\|[0-9a.]{1,4}|[é \r\n:@?]){0,20}",
    ) {
        for query in [query, near] {
            let sql = Sql::new().with_database_type(engine).with_query(&query);
            prop_assert!(sql.sanitized_query().is_some());
        }
    }
}
