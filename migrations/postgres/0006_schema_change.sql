-- A change of a plugin's tables that has begun and not ended: the manifest that it leads to. Same
-- in both databases.
ALTER TABLE loggia_plugin ADD COLUMN pending text;
