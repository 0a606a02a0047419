-- It is made anew by the gateways that know of it.
DROP TABLE loggia_schedule;
