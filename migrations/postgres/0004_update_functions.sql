-- What update statements need and plain SQL does not say. Their faults have the state LG000 and
-- the fault's code as their message.

-- A body in which the member at the first pointer has this value. Objects that are missing on the
-- way are made; JSON's null counts as missing. When the value is JSON's null, what stands at the
-- other pointers becomes null, too.
CREATE FUNCTION loggia_set_member(body jsonb, value jsonb, VARIADIC pointers text[])
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    path text[];
    below jsonb;
BEGIN
    FOR i IN 1 .. cardinality(pointers) LOOP
        SELECT array_agg(replace(replace(token, '~1', '/'), '~0', '~') ORDER BY place)
        INTO path
        FROM unnest((string_to_array(pointers[i], '/'))[2:]) WITH ORDINALITY AS t (token, place);
        IF i = 1 THEN
            below := value;
            FOR depth IN REVERSE cardinality(path) - 1 .. 0 LOOP
                IF jsonb_typeof(coalesce(body #> path[:depth], 'null')) NOT IN ('object', 'null')
                THEN
                    RAISE EXCEPTION 'not-an-object' USING ERRCODE = 'LG000';
                END IF;
                below := coalesce(nullif(body #> path[:depth], 'null'), '{}')
                    || jsonb_build_object(path[depth + 1], below);
            END LOOP;
            body := below;
        ELSIF value = 'null' THEN
            body := jsonb_set(body, path, 'null', false);
        END IF;
    END LOOP;
    RETURN body;
END
$$;

-- An array with one more element. Nothing and JSON's null count as an empty one.
CREATE FUNCTION loggia_json_append(elements jsonb, element jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF elements IS NULL OR elements = 'null' THEN
        RETURN jsonb_build_array(element);
    ELSIF jsonb_typeof(elements) = 'array' THEN
        RETURN elements || jsonb_build_array(element);
    END IF;
    RAISE EXCEPTION 'not-an-array' USING ERRCODE = 'LG000';
END
$$;

-- A text as the value of a field: an index could not hold a longer one.
CREATE FUNCTION loggia_field_text(value text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF octet_length(value) > 2048 THEN
        RAISE EXCEPTION 'field-too-long' USING ERRCODE = 'LG000';
    END IF;
    RETURN value;
END
$$;
