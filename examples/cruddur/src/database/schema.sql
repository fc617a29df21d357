create table users (
    uuid         text primary key,
    handle       text not null unique,
    display_name text not null
) strict;

create table activities (
    uuid                   text primary key,
    user_uuid              text not null references users (uuid),
    message                text not null,
    likes_count            integer not null default 0,
    reposts_count          integer not null default 0,
    replies_count          integer not null default 0,
    reply_to_activity_uuid text references activities (uuid),
    created_at             text not null,
    expires_at             text
) strict;

create index activities_of_user on activities (user_uuid, created_at);
create index activities_replies on activities (reply_to_activity_uuid, created_at);

create table messages (
    uuid           text primary key,
    sender_uuid    text not null references users (uuid),
    recipient_uuid text not null references users (uuid),
    message        text not null,
    created_at     text not null
) strict;
