-- On SQLite these functions are the gateway's own code, and a file holds none.
SELECT 1;
