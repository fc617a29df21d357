insert into users (uuid, handle, display_name) values
    ('8b9e5d1c-02c6-4a0e-9d38-7f1f1f0a3c01', 'ada', 'Ada'),
    ('8b9e5d1c-02c6-4a0e-9d38-7f1f1f0a3c02', 'sam', 'Sam'),
    ('8b9e5d1c-02c6-4a0e-9d38-7f1f1f0a3c03', 'lin', 'Lin'),
    ('8b9e5d1c-02c6-4a0e-9d38-7f1f1f0a3c04', 'noor', 'Noor');

-- Dates count back from the start, so that the feed always looks fresh.
insert into activities
    (uuid, user_uuid, message, likes_count, replies_count, reply_to_activity_uuid, created_at, expires_at)
select seed.column1, users.uuid, seed.column3, seed.column4, seed.column5, seed.column6,
       strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', seed.column7),
       strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '+5 days')
from (values
    ('68f126b0-1ceb-4a33-88be-d90fa7109eee', 'ada',  'Traces are fun',                     5, 1, null, '-2 days'),
    ('66e12864-8c26-4c3a-9658-95a10f8fea67', 'noor', 'Slow mornings, fast queries',        3, 0, null, '-7 days'),
    ('248959df-3079-4947-b847-9e0892d1bab4', 'lin',  'Who watches the watchtower?',        8, 0, null, '-1 hours'),
    ('43f9e9ab-2d0f-4a36-a3ab-5cb2d9f1a0c2', 'sam',  'Somebody liked your activity, @ada', 5, 1, null, '-2 days'),
    ('26e12864-1c26-5c3a-9658-97a10f8fea67', 'sam',  'The first one took me a week',       0, 0,
        '68f126b0-1ceb-4a33-88be-d90fa7109eee', '-1 days'),
    ('9f1f0f2e-5d1c-4a5b-8d0e-3b1c7e0c9a11', 'lin',  'Me too',                             0, 0,
        '43f9e9ab-2d0f-4a36-a3ab-5cb2d9f1a0c2', '-1 days')
) as seed
join users on users.handle = seed.column2;

insert into messages (uuid, sender_uuid, recipient_uuid, message, created_at)
select seed.column1, sender.uuid, recipient.uuid, seed.column4,
       strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', seed.column5)
from (values
    ('3f2f9d1e-9a53-4b1e-a0f6-0c6f0d5f1a01', 'sam', 'ada', 'Did the deploy go out?',   '-3 hours'),
    ('3f2f9d1e-9a53-4b1e-a0f6-0c6f0d5f1a02', 'ada', 'sam', 'Yes, and nothing broke',   '-2 hours'),
    ('3f2f9d1e-9a53-4b1e-a0f6-0c6f0d5f1a03', 'lin', 'ada', 'Lunch?',                   '-1 hours')
) as seed
join users as sender on sender.handle = seed.column2
join users as recipient on recipient.handle = seed.column3;
