-- A change that has begun must have ended before: the older gateway would not know of it.
ALTER TABLE loggia_plugin DROP COLUMN pending;
