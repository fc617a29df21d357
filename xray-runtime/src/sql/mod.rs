//! The `sql` of a subsegment: which database was asked, as whom, and with what. For any driver.

mod address;
mod connection_string;
mod literals;
mod secrets;
mod url;

use std::borrow::Cow;
use std::sync::Arc;

use xray_error::cut;

use crate::entity::Entity;
use crate::http::MAX_HTTP_TEXT_CHARS;
use crate::record::Fact;
use address::Address;

/// Unicode scalar values of a connection's address and of a query; ours. The schema has a limit for the user only.
pub const MAX_SQL_TEXT_CHARS: usize = 4096;

/// `sql` of a document: a call of a database.
///
/// An address loses its secrets here, and the text of a query its literals, so that nothing of them is ever kept.
///
/// ```
/// use xray_runtime::{Namespace, Recorder, Sql, begin_segment, begin_subsegment};
///
/// let sql = Sql::new()
///     .with_database_type("PostgreSQL")
///     .with_connection("postgres://ada:secret@db.internal:5432/orders")
///     .with_query("select * from orders where id = 7 and state = 'open'");
///
/// let (recorder, captured) = Recorder::in_memory();
/// recorder.enter(|| {
///     let _segment = begin_segment("request");
///     let call = begin_subsegment(sql.subsegment_name());
///     call.set_namespace(Namespace::Remote);
///     call.set_sql(sql); // then ask the database
/// });
/// let call = captured.segment("request").subsegment("orders@db.internal");
/// assert_eq!(call.json()["sql"]["url"], "postgres://ada@db.internal:5432/orders");
/// assert_eq!(call.json()["sql"]["sanitized_query"], "select * from orders where id = ? and state = ?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sql {
    /// What an integration names its subsegments with: taken where the entity has no other name.
    pub(crate) name: Option<Box<str>>,
    pub(crate) url: Option<Box<str>>,
    pub(crate) connection_string: Option<Box<str>>,
    pub(crate) query: Option<Box<str>>,
    pub(crate) database_type: Option<Cow<'static, str>>,
    pub(crate) database_version: Option<Box<str>>,
    pub(crate) driver_version: Option<Cow<'static, str>>,
    pub(crate) user: Option<Box<str>>,
    preparation: Option<SqlPreparation>,
    address: Address,
}

/// How a query came to the database: `preparation` of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlPreparation {
    /// As a prepared statement.
    Statement,
    /// As a call of a procedure.
    Call,
}

impl SqlPreparation {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Call => "call",
        }
    }
}

impl Sql {
    /// A call of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the address of the database: an URL (`postgres://user:password@host/orders`), also one without its scheme,
    /// or a connection string (`host=db user=ada password=secret`, `Server=db;User Id=sa;Pwd=secret`). It becomes
    /// `url` or `connection_string` of the document, and says user and name where they were not said yet.
    ///
    /// What is dropped: the password of an URL, and parameters and parts that are called `password`, `passwd`, `pwd`,
    /// `sslpassword`, `token` or `X-Amz-Security-Token`, in any case. All else stays as it is. Where an address can be read in
    /// two ways, what either takes for a secret is dropped.
    #[must_use]
    pub fn with_connection(mut self, address: &str) -> Self {
        let clean = secrets::without_secrets(address);
        let text = Some(cut(clean.text(), MAX_SQL_TEXT_CHARS).into());
        self.address = Address::of(&clean);
        if self.user.is_none()
            && let Some(user) = self.address.user.take().filter(|user| !user.is_empty())
        {
            self = self.with_user(&user);
        }
        (self.url, self.connection_string) = match clean {
            secrets::Clean::Url(_) => (text, None),
            secrets::Clean::ConnectionString(_) => (None, text),
        };
        self
    }

    /// With the name of the engine, such as `PostgreSQL`. It decides how [`with_query`](Self::with_query) reads a text.
    #[must_use]
    pub fn with_database_type(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.database_type = Some(name.into());
        self
    }

    /// With the version of the engine.
    #[must_use]
    pub fn with_database_version(mut self, version: &str) -> Self {
        self.database_version = Some(cut(version, MAX_HTTP_TEXT_CHARS).into());
        self
    }

    /// With name and version of the driver, such as `sqlx 0.9`.
    #[must_use]
    pub fn with_driver_version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.driver_version = Some(version.into());
        self
    }

    /// With the user that the database knows the program as. At most 250 characters.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = Some(cut(user, MAX_HTTP_TEXT_CHARS).into());
        self
    }

    /// With the way the query was prepared.
    #[must_use]
    pub fn with_preparation(mut self, preparation: SqlPreparation) -> Self {
        self.preparation = Some(preparation);
        self
    }

    /// With the text of the query, in which each literal becomes `?` and comments vanish. At most
    /// [`MAX_SQL_TEXT_CHARS`]. Say the [database's type](Self::with_database_type) first: engines disagree about what a
    /// backslash and a double quote mean, and where the engine is not known, what follows a doubtful quote is left out.
    ///
    /// SQLite takes a name in double quotes that it does not know for a text. Behind an operator and in a list of values it
    /// becomes `?`; elsewhere (`select "secret"`) it stays.
    #[must_use]
    pub fn with_query(mut self, query: &str) -> Self {
        self.query = Some(sanitized_query(query, self.database_type.as_deref()));
        self
    }

    /// `<database>@<host>`, or what is known of it; of SQLite the name of the file, or `:memory:`.
    pub fn subsegment_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.as_ref().to_owned();
        }
        let unnamed = self.database_type.as_deref().unwrap_or("database");
        match (&self.address.database, &self.address.host) {
            (Some(database), Some(host)) => format!("{database}@{host}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => unnamed.to_owned(),
        }
    }

    /// The address without its secrets, where it is an URL.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The address without its secrets, where it is a connection string.
    pub fn connection_string(&self) -> Option<&str> {
        self.connection_string.as_deref()
    }

    /// The text of the query, without its literals.
    pub fn sanitized_query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Bytes of it as JSON; an estimate.
    pub(crate) fn estimate(&self) -> usize {
        let texts = [&self.url, &self.connection_string, &self.database_version, &self.user, &self.name];
        100 + texts.into_iter().flatten().map(|text| text.len() + 8).sum::<usize>()
    }
}

/// A query as a document may have it.
pub(crate) fn sanitized_query(query: &str, database_type: Option<&str>) -> Box<str> {
    // What is cut off cannot change what stands before it, but an open literal swallows the rest: no harm.
    let query = cut(query, 2 * MAX_SQL_TEXT_CHARS);
    let clean = literals::without_literals(query, literals::Dialect::of(database_type));
    cut(&clean, MAX_SQL_TEXT_CHARS).into()
}

impl Entity {
    /// Says what was asked of a database. For a subsegment, whose [namespace](Self::set_namespace) is remote.
    pub fn set_sql(&self, mut sql: Sql) {
        if !self.is_recorded() {
            return;
        }
        // By themselves: what differs from call to call, and a text may have to go where a document is too large.
        if let Some(query) = sql.query.take() {
            self.note(Fact::Query(query));
        }
        if let Some(preparation) = sql.preparation.take() {
            self.note(Fact::Preparation(preparation));
        }
        self.note(Fact::Sql(Arc::new(sql)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_database_at_host() {
        for (address, name) in [
            ("postgres://u:p@db.internal:5432/orders?sslmode=require", "orders@db.internal"),
            ("postgres://u:p@[::1]:5432/orders", "orders@::1"),
            ("u:p@db:3306/orders", "orders@db"),
            ("u:p@tcp(db:3306)/orders", "orders@db"),
            ("mongodb://u:p@h1:27017,h2:27017/shop", "shop@h1"),
            ("postgres://db", "db"),
            ("postgres://ada@%2Fvar%2Frun/orders", "orders@localhost"),
            ("postgres:///orders", "orders@localhost"),
            ("sqlite:///srv/data/cruddur.db?mode=rwc", "cruddur.db"),
            ("sqlite://cruddur.db", "cruddur.db"),
            ("sqlite:data/cruddur%20a.db", "cruddur a.db"),
            ("sqlite::memory:", ":memory:"),
            ("sqlite://file:sqlx-in-memory-3?mode=memory&cache=shared", ":memory:"),
            ("host=db.internal user=ada password=x dbname=orders", "orders@db.internal"),
            ("Server=tcp:db.internal,1433;Database=orders;Pwd=x", "orders@db.internal"),
            ("Data Source=db;Initial Catalog='my orders'", "my orders@db"),
            ("jdbc:sqlserver://db:1433;databaseName=orders;user=sa;password=a@b", "orders@db"),
            ("jdbc:oracle:thin:ada/secret@//db:1521/orders", "orders@db"),
            ("//ada:secret@db/orders", "orders@db"),
            ("", "database"),
        ] {
            assert_eq!(Sql::new().with_connection(address).subsegment_name(), name, "{address}");
        }
        assert_eq!(Sql::new().with_database_type("MySQL").subsegment_name(), "MySQL");
    }

    #[test]
    fn the_user_is_told_once() {
        let user = |sql: Sql| sql.user.map(String::from);
        assert_eq!(user(Sql::new().with_connection("postgres://ada:x@h/d")), Some("ada".into()));
        assert_eq!(user(Sql::new().with_connection("host=h user=ada password=x")), Some("ada".into()));
        assert_eq!(user(Sql::new().with_connection("redis://:pw@cache/0")), None);
        assert_eq!(
            user(Sql::new().with_user("eve").with_connection("postgres://ada@h/d")),
            Some("eve".into())
        );
    }

    #[test]
    fn what_is_said_of_a_call_stands_in_its_document() {
        let (recorder, captured) = crate::Recorder::in_memory();
        recorder.enter(|| {
            let _segment = crate::begin_segment("root");
            let call = crate::begin_subsegment("call");
            let sql = Sql::new()
                .with_database_type("Oracle")
                .with_database_version("23")
                .with_driver_version("oracle 0.6")
                .with_user("ada")
                .with_preparation(SqlPreparation::Call)
                .with_query("call f(1)");
            call.set_sql(sql);
            // Later facts win.
            call.set_sql(Sql::new().with_connection("Server=h;Pwd=x").with_database_type("Oracle"));
        });
        let call = captured.segment("root").subsegment("call");
        let expected = serde_json::json!({
            "connection_string": "Server=h",
            "sanitized_query": "call f(?)",
            "database_type": "Oracle",
            "preparation": "call",
        });
        assert_eq!(call.json()["sql"], expected);
    }

    #[test]
    fn texts_are_cut() {
        let long = "x".repeat(10_000);
        let sql = Sql::new().with_connection(&format!("postgres://{long}@h/{long}")).with_query(&long);
        assert_eq!(sql.user.as_deref().map(str::len), Some(250));
        assert_eq!([sql.url().unwrap().len(), sql.sanitized_query().unwrap().len()], [MAX_SQL_TEXT_CHARS; 2]);
    }
}
