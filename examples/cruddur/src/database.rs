//! The app's SQLite database: its rows and the queries that read and write them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{Connection as _, FromRow, Row as _, Sqlite, SqliteConnection};
use xray_runtime::{XRayConnection, XRayPool};

/// How many activities a feed shows.
const FEED_LENGTH: i64 = 20;
/// How many replies a feed shows, all its posts together.
const REPLIES_LENGTH: i64 = 50;

/// Every column of an [`Activity`]; each query adds its own `where`.
macro_rules! select_activities {
    ($rest:literal) => {
        concat!(
            "select activities.uuid, users.handle, users.display_name, activities.message, \
             activities.likes_count, activities.reposts_count, activities.replies_count, \
             activities.reply_to_activity_uuid, activities.created_at, activities.expires_at \
             from activities join users on users.uuid = activities.user_uuid ",
            $rest
        )
    };
}

/// A post, or a reply to one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Activity {
    pub(crate) uuid: String,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) message: String,
    pub(crate) likes_count: i64,
    pub(crate) reposts_count: i64,
    pub(crate) replies_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to_activity_uuid: Option<String>,
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) replies: Vec<Activity>,
}

/// A conversation with one other user, with the message that came last.
#[derive(Debug, Serialize)]
pub(crate) struct MessageGroup {
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) message: String,
    pub(crate) created_at: String,
}

/// A message of a conversation.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) uuid: String,
    pub(crate) handle: String,
    pub(crate) message: String,
    pub(crate) created_at: String,
}

/// A user worth following, and how many likes earned that.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recommendation {
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) likes_count: i64,
}

/// A post that is about to be written.
pub(crate) struct NewActivity<'a> {
    pub(crate) handle: &'a str,
    pub(crate) message: &'a str,
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
    pub(crate) reply_to: Option<&'a str>,
}

/// The database; a clone is another handle to the same one. Each query is a subsegment of what asks it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: XRayPool<Sqlite>,
}

impl Database {
    /// Opens an empty database in memory, creates the tables and fills them with the first users and posts.
    pub(crate) async fn seeded() -> Result<Self, sqlx::Error> {
        // A database in memory lives and dies with its connection: there is one, and it is never recycled.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(SqliteConnectOptions::new().in_memory(true).foreign_keys(true))
            .await?;
        sqlx::raw_sql(include_str!("database/schema.sql")).execute(&pool).await?;
        sqlx::raw_sql(include_str!("database/seeds.sql")).execute(&pool).await?;
        // The texts hold no secrets: values are bound. What happened until here is no part of a request.
        let pool = XRayPool::new(pool).with_query_text(true).detect_version().await?;
        Ok(Self { pool })
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("select 1").execute(&self.pool).await.map(drop)
    }

    /// The newest posts of everybody, with their replies.
    pub(crate) async fn home(&self) -> Result<Vec<Activity>, sqlx::Error> {
        let posts = sqlx::query_as(select_activities!(
            "where activities.reply_to_activity_uuid is null order by activities.created_at desc limit ?1"
        ))
        .bind(FEED_LENGTH)
        .fetch_all(&self.pool)
        .await?;
        self.with_replies(posts).await
    }

    /// The newest posts that mention `handle`, with their replies.
    pub(crate) async fn notifications(&self, handle: &str) -> Result<Vec<Activity>, sqlx::Error> {
        let posts = sqlx::query_as(select_activities!(
            "where activities.reply_to_activity_uuid is null and instr(activities.message, '@' || ?1) > 0 \
             order by activities.created_at desc limit ?2"
        ))
        .bind(handle)
        .bind(FEED_LENGTH)
        .fetch_all(&self.pool)
        .await?;
        self.with_replies(posts).await
    }

    /// The newest posts of `handle`; `None` where there is no such user.
    pub(crate) async fn posts_of(&self, handle: &str) -> Result<Option<Vec<Activity>>, sqlx::Error> {
        if !self.has_user(handle).await? {
            return Ok(None);
        }
        let posts = sqlx::query_as(select_activities!(
            "where users.handle = ?1 and activities.reply_to_activity_uuid is null \
             order by activities.created_at desc limit ?2"
        ))
        .bind(handle)
        .bind(FEED_LENGTH)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(posts))
    }

    /// The newest posts and replies whose text holds `term`, in whatever case.
    pub(crate) async fn search(&self, term: &str) -> Result<Vec<Activity>, sqlx::Error> {
        sqlx::query_as(select_activities!(
            "where instr(lower(activities.message), lower(?1)) > 0 \
             order by activities.created_at desc limit ?2"
        ))
        .bind(term)
        .bind(FEED_LENGTH)
        .fetch_all(&self.pool)
        .await
    }

    /// The post or reply with this uuid, with its replies.
    pub(crate) async fn activity(&self, uuid: &str) -> Result<Option<Activity>, sqlx::Error> {
        let posts = sqlx::query_as(select_activities!("where activities.uuid = ?1"))
            .bind(uuid)
            .fetch_all(&self.pool)
            .await?;
        Ok(self.with_replies(posts).await?.pop())
    }

    /// Writes a post, or a reply and the count of replies of what it answers, and returns it as stored; `None`, and
    /// nothing is written, where there is no such author or no such post to answer.
    pub(crate) async fn insert(&self, new: NewActivity<'_>) -> Result<Option<Activity>, sqlx::Error> {
        let uuid = uuid::Uuid::new_v4().to_string();
        let mut transaction = self.pool.begin().await?;
        if let Some(answered) = new.reply_to {
            let updated =
                sqlx::query("update activities set replies_count = replies_count + 1 where uuid = ?1")
                    .bind(answered)
                    .execute(&mut *transaction)
                    .await?;
            if updated.rows_affected() == 0 {
                return Ok(None);
            }
        }
        let inserted = sqlx::query(
            "insert into activities (uuid, user_uuid, message, reply_to_activity_uuid, created_at, expires_at) \
             select ?1, users.uuid, ?3, ?4, ?5, ?6 from users where users.handle = ?2",
        )
        .bind(&uuid)
        .bind(new.handle)
        .bind(new.message)
        .bind(new.reply_to)
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(None);
        }
        let stored = sqlx::query_as(select_activities!("where activities.uuid = ?1"))
            .bind(&uuid)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(stored))
    }

    /// The conversations of `handle`, the most recent first.
    pub(crate) async fn message_groups(&self, handle: &str) -> Result<Vec<MessageGroup>, sqlx::Error> {
        // SQLite promises that bare columns come from the row of max().
        sqlx::query_as(
            "select other.handle, other.display_name, messages.message, max(messages.created_at) as created_at \
             from messages \
             join users as viewer on viewer.uuid in (messages.sender_uuid, messages.recipient_uuid) \
             join users as other on other.uuid in (messages.sender_uuid, messages.recipient_uuid) \
                  and other.uuid <> viewer.uuid \
             where viewer.handle = ?1 group by other.uuid order by created_at desc",
        )
        .bind(handle)
        .fetch_all(&self.pool)
        .await
    }

    /// What `handle` and `other` wrote to each other, the oldest first; `None` where there is no user `other`.
    pub(crate) async fn messages(
        &self,
        handle: &str,
        other: &str,
    ) -> Result<Option<Vec<Message>>, sqlx::Error> {
        if !self.has_user(other).await? {
            return Ok(None);
        }
        let messages = sqlx::query_as(
            "select messages.uuid, sender.handle, messages.message, messages.created_at from messages \
             join users as sender on sender.uuid = messages.sender_uuid \
             join users as recipient on recipient.uuid = messages.recipient_uuid \
             where (sender.handle = ?1 and recipient.handle = ?2) or (sender.handle = ?2 and recipient.handle = ?1) \
             order by messages.created_at",
        )
        .bind(handle)
        .bind(other)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(messages))
    }

    /// The other users, those with the most likes first.
    pub(crate) async fn recommendations(&self, handle: &str) -> Result<Vec<Recommendation>, sqlx::Error> {
        sqlx::query_as(
            "select users.handle, users.display_name, coalesce(sum(activities.likes_count), 0) as likes_count \
             from users left join activities on activities.user_uuid = users.uuid and activities.likes_count > 0 \
             where users.handle <> ?1 group by users.uuid order by likes_count desc, users.handle limit 3",
        )
        .bind(handle)
        .fetch_all(&self.pool)
        .await
    }

    /// Reads a table that does not exist, for the route that shows what a failure looks like.
    pub(crate) async fn bookmarks(&self) -> Result<Vec<Activity>, sqlx::Error> {
        sqlx::query_as("select * from bookmarks").fetch_all(&self.pool).await
    }

    async fn has_user(&self, handle: &str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("select exists (select 1 from users where handle = ?1)")
            .bind(handle)
            .fetch_one(&self.pool)
            .await
    }

    /// Adds to each post the replies to it, the oldest first, with one query for all.
    async fn with_replies(&self, mut posts: Vec<Activity>) -> Result<Vec<Activity>, sqlx::Error> {
        let uuids: Vec<&str> = posts.iter().map(|post| post.uuid.as_str()).collect();
        let replies: Vec<Activity> = sqlx::query_as(select_activities!(
            "where activities.reply_to_activity_uuid in (select value from json_each(?1)) \
             order by activities.created_at limit ?2"
        ))
        .bind(serde_json::Value::from(uuids).to_string())
        .bind(REPLIES_LENGTH)
        .fetch_all(&self.pool)
        .await?;
        for reply in replies {
            let answered =
                posts.iter_mut().find(|post| Some(&post.uuid) == reply.reply_to_activity_uuid.as_ref());
            if let Some(post) = answered {
                post.replies.push(reply);
            }
        }
        Ok(posts)
    }
}

/// A connection to an empty database in memory, which vanishes with it.
pub(crate) async fn scratch() -> Result<XRayConnection<Sqlite>, sqlx::Error> {
    let options = SqliteConnectOptions::new().in_memory(true);
    let connection = SqliteConnection::connect_with(&options).await?;
    XRayConnection::new(connection, &options).detect_version().await
}

impl FromRow<'_, SqliteRow> for Activity {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            uuid: row.try_get("uuid")?,
            handle: row.try_get("handle")?,
            display_name: row.try_get("display_name")?,
            message: row.try_get("message")?,
            likes_count: row.try_get("likes_count")?,
            reposts_count: row.try_get("reposts_count")?,
            replies_count: row.try_get("replies_count")?,
            reply_to_activity_uuid: row.try_get("reply_to_activity_uuid")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            replies: Vec::new(),
        })
    }
}

impl FromRow<'_, SqliteRow> for MessageGroup {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            handle: row.try_get("handle")?,
            display_name: row.try_get("display_name")?,
            message: row.try_get("message")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Message {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            uuid: row.try_get("uuid")?,
            handle: row.try_get("handle")?,
            message: row.try_get("message")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Recommendation {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            handle: row.try_get("handle")?,
            display_name: row.try_get("display_name")?,
            likes_count: row.try_get("likes_count")?,
        })
    }
}
