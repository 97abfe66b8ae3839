/* Columns in and out of confluent-kafka's clients, without an object of Python's for each message.
 *
 * This library is two things. To Python it is the extension module `_columns`. To librdkafka it is a plugin
 * (`plugin.library.paths`): so it learns of each client that is made, and of rows that were not delivered. It calls the
 * librdkafka that confluent-kafka is linked with, whose public types are declared here as far as they are needed.
 *
 * librdkafka's callbacks come from threads of its own, which know nothing of Python: what they tell is put into one list
 * of notices, under a lock, and taken out of it by `Client.notices`.
 */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* --- librdkafka, as its rdkafka.h has it */

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_headers_s rd_kafka_headers_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;

typedef struct {
    int err;
    rd_kafka_topic_t *rkt;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *_private;
} rd_kafka_message_t;

enum { VTYPE_END, VTYPE_TOPIC, VTYPE_RKT, VTYPE_PARTITION, VTYPE_VALUE, VTYPE_KEY, VTYPE_OPAQUE, VTYPE_MSGFLAGS,
       VTYPE_TIMESTAMP, VTYPE_HEADER, VTYPE_HEADERS };
enum { MSG_F_COPY = 2 };
enum { CONSUMER = 1 };

typedef int on_new_t(rd_kafka_t *, const rd_kafka_conf_t *, void *, char *, size_t);
typedef int on_acknowledgement_t(rd_kafka_t *, rd_kafka_message_t *, void *);
typedef int on_destroy_t(rd_kafka_t *, void *);

static struct {
    int (*type)(const rd_kafka_t *);
    void *(*opaque)(const rd_kafka_t *);
    const rd_kafka_conf_t *(*conf)(rd_kafka_t *);
    int (*conf_get)(const rd_kafka_conf_t *, const char *, char *, size_t *);
    const char *(*err2str)(int);
    void (*conf_set_error_cb)(rd_kafka_conf_t *, void (*)(rd_kafka_t *, int, const char *, void *));
    void (*conf_set_log_cb)(rd_kafka_conf_t *, void (*)(const rd_kafka_t *, int, const char *, const char *));
    int (*conf_interceptor_add_on_new)(rd_kafka_conf_t *, const char *, on_new_t *, void *);
    int (*interceptor_add_on_acknowledgement)(rd_kafka_t *, const char *, on_acknowledgement_t *, void *);
    int (*interceptor_add_on_destroy)(rd_kafka_t *, const char *, on_destroy_t *, void *);
    rd_kafka_queue_t *(*queue_get_consumer)(rd_kafka_t *);
    void (*queue_destroy)(rd_kafka_queue_t *);
    ssize_t (*consume_batch_queue)(rd_kafka_queue_t *, int, rd_kafka_message_t **, size_t);
    int64_t (*message_timestamp)(const rd_kafka_message_t *, int *);
    const char *(*message_errstr)(const rd_kafka_message_t *);
    int (*message_headers)(const rd_kafka_message_t *, rd_kafka_headers_t **);
    void (*message_destroy)(rd_kafka_message_t *);
    size_t (*header_cnt)(const rd_kafka_headers_t *);
    int (*header_get_all)(const rd_kafka_headers_t *, size_t, const char **, const void **, size_t *);
    rd_kafka_headers_t *(*headers_new)(size_t);
    void (*headers_destroy)(rd_kafka_headers_t *);
    int (*header_add)(rd_kafka_headers_t *, const char *, ssize_t, const void *, ssize_t);
    rd_kafka_topic_t *(*topic_new)(rd_kafka_t *, const char *, void *);
    const char *(*topic_name)(const rd_kafka_topic_t *);
    void (*topic_destroy)(rd_kafka_topic_t *);
    int (*last_error)(void);
    int (*producev)(rd_kafka_t *, ...);
} rd_kafka;

static const struct {
    const char *name;
    void *place;
} SYMBOLS[] = {
#define SYMBOL(name) {"rd_kafka_" #name, &rd_kafka.name}
    SYMBOL(type),
    SYMBOL(opaque),
    SYMBOL(conf),
    SYMBOL(conf_get),
    SYMBOL(err2str),
    SYMBOL(conf_set_error_cb),
    SYMBOL(conf_set_log_cb),
    SYMBOL(conf_interceptor_add_on_new),
    SYMBOL(interceptor_add_on_acknowledgement),
    SYMBOL(interceptor_add_on_destroy),
    SYMBOL(queue_get_consumer),
    SYMBOL(queue_destroy),
    SYMBOL(consume_batch_queue),
    SYMBOL(message_timestamp),
    SYMBOL(message_errstr),
    SYMBOL(message_headers),
    SYMBOL(message_destroy),
    SYMBOL(header_cnt),
    SYMBOL(header_get_all),
    SYMBOL(headers_new),
    SYMBOL(headers_destroy),
    SYMBOL(header_add),
    SYMBOL(topic_new),
    SYMBOL(topic_name),
    SYMBOL(topic_destroy),
    SYMBOL(last_error),
    SYMBOL(producev),
#undef SYMBOL
};

/* --- what librdkafka tells: clients that were made, errors, logs, rows that were not delivered */

enum kind { MADE, ERROR, LOGGED, UNDELIVERED };

typedef struct notice {
    struct notice *next;
    const rd_kafka_t *rk;
    const void *opaque; /* of a client that was made: confluent-kafka's object */
    enum kind kind;
    int code; /* of an error; the level of what was logged */
    int32_t partition;
    char *text;
    char *topic;
    void *key;
    size_t key_len, size;
} notice_t;

static pthread_mutex_t notices_lock = PTHREAD_MUTEX_INITIALIZER;
static notice_t *notices;      /* the newest first */
static int count_of[UNDELIVERED + 1]; /* by kind */

enum { MOST = 1000 }; /* errors, and as many logs, that wait for somebody to ask; no row is left out */

static void free_notice(notice_t *notice) {
    free(notice->text);
    free(notice->topic);
    free(notice->key);
    free(notice);
}

static notice_t *new_notice(const rd_kafka_t *rk, enum kind kind, int code, const char *text) {
    notice_t *notice = calloc(1, sizeof *notice);
    if (notice) {
        notice->rk = rk;
        notice->kind = kind;
        notice->code = code;
        notice->text = text ? strdup(text) : NULL;
    }
    return notice;
}

static void tell(notice_t *notice) {
    if (!notice)
        return;
    pthread_mutex_lock(&notices_lock);
    int bounded = notice->kind == LOGGED || notice->kind == ERROR;
    int kept = !bounded || count_of[notice->kind] < MOST;
    if (kept) {
        count_of[notice->kind]++;
        notice->next = notices;
        notices = notice;
    }
    pthread_mutex_unlock(&notices_lock);
    if (!kept)
        free_notice(notice);
}

/* A client's notices but for MADE, the oldest first; or MADE alone. */
static notice_t *take_notices(const rd_kafka_t *rk, int made) {
    notice_t *taken = NULL;
    pthread_mutex_lock(&notices_lock);
    for (notice_t **at = &notices; *at;) {
        notice_t *notice = *at;
        if (notice->rk == rk && (notice->kind == MADE) == made) {
            *at = notice->next;
            count_of[notice->kind]--;
            notice->next = taken;
            taken = notice;
        } else {
            at = &notice->next;
        }
    }
    pthread_mutex_unlock(&notices_lock);
    return taken;
}

static void forget(notice_t *taken) {
    while (taken) {
        notice_t *next = taken->next;
        free_notice(taken);
        taken = next;
    }
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque) {
    (void)opaque;
    tell(new_notice(rk, ERROR, err, reason));
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *message) {
    (void)facility;
    tell(new_notice(rk, LOGGED, level, message));
}

static int on_acknowledgement(rd_kafka_t *rk, rd_kafka_message_t *message, void *opaque) {
    (void)opaque;
    if (!message->err || message->_private) /* one with an opaque of confluent-kafka's own is told of by that */
        return 0;
    notice_t *notice = new_notice(rk, UNDELIVERED, message->err, rd_kafka.message_errstr(message));
    if (!notice || !(notice->topic = strdup(rd_kafka.topic_name(message->rkt))))
        abort(); /* without memory: a row that was lost must not pass for one that was written */
    notice->partition = message->partition;
    notice->size = message->key_len + message->len;
    if (message->key && (notice->key = malloc(message->key_len + 1))) {
        memcpy(notice->key, message->key, message->key_len);
        notice->key_len = message->key_len;
    }
    tell(notice);
    return 0;
}

static int on_destroy(rd_kafka_t *rk, void *opaque) {
    (void)opaque;
    forget(take_notices(rk, 0));
    forget(take_notices(rk, 1));
    return 0;
}

/* Whether a configuration has this callback, or none where none is wanted. */
static int has_callback(const rd_kafka_conf_t *conf, const char *name, uintptr_t wanted) {
    char told[64] = "";
    size_t size = sizeof told;
    rd_kafka.conf_get(conf, name, told, &size); /* a pointer as text; nothing where there is none */
    return strtoull(told, NULL, 16) == wanted;
}

static int on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *errstr, size_t size) {
    (void)opaque, (void)errstr, (void)size;
    /* confluent-kafka's callbacks expect to be called from within a call of its own, and `read` makes none. Where the
     * user has some, it is confluent-kafka that reads, and its callbacks stay. */
    if (rd_kafka.type(rk) == CONSUMER && has_callback(conf, "stats_cb", 0) && has_callback(conf, "throttle_cb", 0) &&
        has_callback(conf, "oauthbearer_token_refresh_cb", 0)) {
        rd_kafka.conf_set_error_cb((rd_kafka_conf_t *)conf, on_error);
        rd_kafka.conf_set_log_cb((rd_kafka_conf_t *)conf, on_log);
    }
    on_destroy(rk, NULL); /* of an earlier client at the same address */
    notice_t *notice = new_notice(rk, MADE, 0, NULL);
    if (notice)
        notice->opaque = rd_kafka.opaque(rk);
    tell(notice);
    int err = rd_kafka.interceptor_add_on_destroy(rk, "millstream", on_destroy, NULL);
    return err ? err : rd_kafka.interceptor_add_on_acknowledgement(rk, "millstream", on_acknowledgement, NULL);
}

#pragma GCC visibility pop

/* What librdkafka calls when it loads the plugin. */
__attribute__((visibility("default"))) int conf_init(rd_kafka_conf_t *conf, void **opaque, char *errstr, size_t size) {
    (void)opaque, (void)errstr, (void)size;
    return rd_kafka.conf_interceptor_add_on_new(conf, "millstream", on_new, NULL);
}

#pragma GCC visibility push(hidden)

/* --- Client: the columns of one client of confluent-kafka's */

typedef struct topic {
    struct topic *next;
    rd_kafka_topic_t *rkt;
    char name[];
} topic_t;

typedef struct {
    PyObject_HEAD
    PyObject *owner; /* confluent-kafka's object, which keeps the client alive */
    rd_kafka_t *rk;  /* NULL once closed */
    rd_kafka_queue_t *queue;
    topic_t *topics;
} client_t;

static PyObject *text_of(const char *text) {
    if (!text)
        return Py_NewRef(Py_None);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *bytes_of(const void *data, size_t size) {
    return data ? PyBytes_FromStringAndSize(data, (Py_ssize_t)size) : Py_NewRef(Py_None);
}

static int append(PyObject *list, PyObject *item) {
    int appended = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return appended;
}

static int is_open(client_t *client) {
    if (!client->rk)
        PyErr_SetString(PyExc_RuntimeError, "the client is closed");
    return client->rk != NULL;
}

static PyObject *client_close(client_t *client, PyObject *none) {
    (void)none;
    if (client->rk) {
        forget(take_notices(client->rk, 0));
        if (client->queue)
            rd_kafka.queue_destroy(client->queue);
        while (client->topics) {
            topic_t *topic = client->topics;
            client->topics = topic->next;
            rd_kafka.topic_destroy(topic->rkt);
            free(topic);
        }
        client->queue = NULL;
        client->rk = NULL;
    }
    Py_CLEAR(client->owner);
    Py_RETURN_NONE;
}

static void client_dealloc(client_t *client) {
    PyTypeObject *type = Py_TYPE((PyObject *)client);
    Py_XDECREF(client_close(client, NULL));
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(client);
    Py_DECREF(type);
}

/* --- reading */

static PyObject *headers_of(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers;
    if (rd_kafka.message_headers(message, &headers) != 0)
        return PyTuple_New(0);
    size_t count = rd_kafka.header_cnt(headers);
    PyObject *found = PyTuple_New((Py_ssize_t)count);
    for (size_t at = 0; found && at < count; at++) {
        const char *name;
        const void *value;
        size_t size;
        rd_kafka.header_get_all(headers, at, &name, &value, &size);
        PyObject *pair = Py_BuildValue("(NN)", text_of(name), bytes_of(value, size));
        if (!pair || PyTuple_SetItem(found, (Py_ssize_t)at, pair) < 0)
            Py_CLEAR(found);
    }
    return found;
}

/* A range where none is left out, as most often: so no object is made for each. */
static PyObject *offsets_of(rd_kafka_message_t *const *messages, Py_ssize_t count) {
    int64_t first = messages[0]->offset, last = messages[count - 1]->offset;
    if (last - first == count - 1)
        return PyObject_CallFunction((PyObject *)&PyRange_Type, "LL", (long long)first, (long long)last + 1);
    PyObject *offsets = PyList_New(count);
    for (Py_ssize_t row = 0; offsets && row < count; row++) {
        PyObject *offset = PyLong_FromLongLong(messages[row]->offset);
        if (!offset || PyList_SetItem(offsets, row, offset) < 0)
            Py_CLEAR(offsets);
    }
    return offsets;
}

/* Columns of messages of one partition: (topic, partition, offsets, timestamps, keys, values, headers or None). */
static PyObject *columns_of(rd_kafka_message_t *const *messages, Py_ssize_t count) {
    PyObject *offsets = offsets_of(messages, count), *timestamps = PyList_New(count);
    PyObject *keys = PyList_New(count), *values = PyList_New(count), *headers = NULL;
    if (!offsets || !timestamps || !keys || !values)
        goto failed;
    for (Py_ssize_t row = 0; row < count; row++) {
        const rd_kafka_message_t *message = messages[row];
        rd_kafka_headers_t *some;
        int timestamp_type;
        PyObject *timestamp = PyLong_FromLongLong(rd_kafka.message_timestamp(message, &timestamp_type));
        PyObject *key = bytes_of(message->key, message->key_len);
        PyObject *value = bytes_of(message->payload, message->len);
        PyList_SetItem(timestamps, row, timestamp); /* a NULL is seen below */
        PyList_SetItem(keys, row, key);
        PyList_SetItem(values, row, value);
        if (!timestamp || !key || !value)
            goto failed;
        if (!headers && rd_kafka.message_headers(message, &some) == 0) {
            if (!(headers = PyList_New(0)))
                goto failed;
            for (Py_ssize_t before = 0; before < row; before++)
                if (append(headers, PyTuple_New(0)) < 0)
                    goto failed;
        }
        if (headers && append(headers, headers_of(message)) < 0)
            goto failed;
    }
    return Py_BuildValue("(NiNNNNN)", text_of(rd_kafka.topic_name(messages[0]->rkt)), (int)messages[0]->partition,
                         offsets, timestamps, keys, values, headers ? headers : Py_NewRef(Py_None));
failed:
    Py_XDECREF(offsets);
    Py_XDECREF(timestamps);
    Py_XDECREF(keys);
    Py_XDECREF(values);
    Py_XDECREF(headers);
    return NULL;
}

/* What is no record: (topic or None, partition, offset, code, text). */
static PyObject *event_of(const rd_kafka_message_t *message) {
    return Py_BuildValue("(NiLiN)", text_of(message->rkt ? rd_kafka.topic_name(message->rkt) : NULL),
                         (int)message->partition, (long long)message->offset, message->err,
                         text_of(rd_kafka.message_errstr(message)));
}

/* Runs of messages of one partition as columns, events as events. */
static int sort_out(rd_kafka_message_t *const *messages, Py_ssize_t count, PyObject *runs, PyObject *events) {
    for (Py_ssize_t begin = 0, end; begin < count; begin = end) {
        const rd_kafka_message_t *first = messages[begin];
        end = begin + 1;
        if (first->err) {
            if (append(events, event_of(first)) < 0)
                return -1;
            continue;
        }
        while (end < count && !messages[end]->err && messages[end]->rkt == first->rkt &&
               messages[end]->partition == first->partition)
            end++;
        if (append(runs, columns_of(messages + begin, end - begin)) < 0)
            return -1;
    }
    return 0;
}

static PyObject *client_read(client_t *client, PyObject *args) {
    int most, timeout_ms;
    if (!PyArg_ParseTuple(args, "ii", &most, &timeout_ms) || !is_open(client))
        return NULL;
    if (!client->queue && !(client->queue = rd_kafka.queue_get_consumer(client->rk)))
        return PyErr_Format(PyExc_RuntimeError, "this client is no consumer");
    rd_kafka_message_t **messages = malloc((most > 0 ? (size_t)most : 1) * sizeof *messages);
    if (!messages)
        return PyErr_NoMemory();
    ssize_t count;
    Py_BEGIN_ALLOW_THREADS
    /* with a timeout it would wait for all of them: so for the first one alone */
    count = rd_kafka.consume_batch_queue(client->queue, 0, messages, (size_t)most);
    if (count == 0 && timeout_ms > 0) {
        count = rd_kafka.consume_batch_queue(client->queue, timeout_ms, messages, 1);
        if (count == 1 && most > 1) {
            ssize_t more = rd_kafka.consume_batch_queue(client->queue, 0, messages + 1, (size_t)most - 1);
            count += more > 0 ? more : 0;
        }
    }
    Py_END_ALLOW_THREADS
    PyObject *runs = PyList_New(0), *events = PyList_New(0);
    int failed = !runs || !events || (count > 0 && sort_out(messages, count, runs, events) < 0);
    for (ssize_t at = 0; at < count; at++)
        rd_kafka.message_destroy(messages[at]);
    free(messages);
    if (!failed && count >= 0)
        return Py_BuildValue("(NN)", runs, events);
    Py_XDECREF(runs);
    Py_XDECREF(events);
    return failed ? NULL : PyErr_Format(PyExc_RuntimeError, "reading: %s", rd_kafka.err2str(rd_kafka.last_error()));
}

/* --- writing */

static rd_kafka_topic_t *topic_of(client_t *client, const char *name) {
    for (topic_t *topic = client->topics; topic; topic = topic->next)
        if (strcmp(topic->name, name) == 0)
            return topic->rkt;
    topic_t *topic = malloc(sizeof *topic + strlen(name) + 1);
    if (!topic) {
        PyErr_NoMemory();
        return NULL;
    }
    strcpy(topic->name, name);
    if (!(topic->rkt = rd_kafka.topic_new(client->rk, name, NULL))) {
        free(topic);
        PyErr_Format(PyExc_RuntimeError, "topic %s: %s", name, rd_kafka.err2str(rd_kafka.last_error()));
        return NULL;
    }
    topic->next = client->topics;
    client->topics = topic;
    return topic->rkt;
}

static int bytes_at(PyObject *column, Py_ssize_t row, char **data, Py_ssize_t *size) {
    PyObject *item = PyList_GetItem(column, row);
    *data = NULL;
    *size = 0;
    if (!item)
        return -1;
    return item == Py_None ? 0 : PyBytes_AsStringAndSize(item, data, size);
}

static int add_headers(rd_kafka_headers_t *headers, PyObject *pairs) {
    Py_ssize_t count = PyTuple_Size(pairs);
    for (Py_ssize_t at = 0; at < count; at++) {
        const char *name, *value;
        Py_ssize_t name_size, size;
        if (!PyArg_ParseTuple(PyTuple_GetItem(pairs, at), "s#z#", &name, &name_size, &value, &size))
            return -1;
        rd_kafka.header_add(headers, name, name_size, value, value ? size : 0);
    }
    return count < 0 ? -1 : 0;
}

/* librdkafka takes a timestamp of 0 for "now": so 0 is sent as 1, and one that is not set (-1) as 0. */
static int64_t sent_timestamp(int64_t timestamp) { return timestamp > 0 ? timestamp : timestamp + 1; }

/* Rows from `first` to `end`: (how many were taken, code of the error of the next one or 0). */
static PyObject *client_produce(client_t *client, PyObject *args) {
    const char *name;
    int partition;
    Py_ssize_t first, end, row;
    PyObject *timestamps, *keys, *values, *headers;
    if (!PyArg_ParseTuple(args, "sinnOOOO", &name, &partition, &first, &end, &timestamps, &keys, &values, &headers) ||
        !is_open(client))
        return NULL;
    rd_kafka_topic_t *topic = topic_of(client, name);
    if (!topic)
        return NULL;
    int err = 0;
    for (row = first; row < end; row++) {
        char *key, *value;
        Py_ssize_t key_size, size;
        PyObject *time = PyList_GetItem(timestamps, row);
        int64_t timestamp = time ? sent_timestamp(PyLong_AsLongLong(time)) : 0;
        if (!time || bytes_at(keys, row, &key, &key_size) < 0 || bytes_at(values, row, &value, &size) < 0)
            return NULL;
        PyObject *pairs = headers == Py_None ? NULL : PyList_GetItem(headers, row);
        rd_kafka_headers_t *own = NULL;
        if (pairs && PyTuple_Size(pairs) > 0) {
            own = rd_kafka.headers_new((size_t)PyTuple_Size(pairs));
            if (add_headers(own, pairs) < 0) {
                rd_kafka.headers_destroy(own);
                return NULL;
            }
        }
        if (PyErr_Occurred())
            return NULL;
        err = rd_kafka.producev(client->rk, VTYPE_RKT, topic, VTYPE_PARTITION, (int32_t)partition, VTYPE_MSGFLAGS,
                                MSG_F_COPY, VTYPE_VALUE, value, (size_t)size, VTYPE_KEY, key, (size_t)key_size,
                                VTYPE_TIMESTAMP, timestamp, own ? VTYPE_HEADERS : VTYPE_END, own, VTYPE_END);
        if (err && own) /* else they are librdkafka's */
            rd_kafka.headers_destroy(own);
        if (err)
            break;
    }
    return Py_BuildValue("(ni)", row - first, err);
}

/* --- notices */

/* [(code, text)] of errors, [(level, text)] of logs, [(topic, partition, key, size, code, text)] of rows; None: nothing. */
static PyObject *client_notices(client_t *client, PyObject *none) {
    (void)none;
    notice_t *taken = client->rk ? take_notices(client->rk, 0) : NULL;
    if (!taken)
        Py_RETURN_NONE;
    PyObject *errors = PyList_New(0), *logs = PyList_New(0), *rows = PyList_New(0);
    int failed = !errors || !logs || !rows;
    for (notice_t *at = taken; at && !failed; at = at->next) {
        if (at->kind == UNDELIVERED)
            failed = append(rows, Py_BuildValue("(NiNniN)", text_of(at->topic), (int)at->partition,
                                                bytes_of(at->key, at->key_len), (Py_ssize_t)at->size, at->code,
                                                text_of(at->text))) < 0;
        else
            failed = append(at->kind == ERROR ? errors : logs, Py_BuildValue("(iN)", at->code, text_of(at->text))) < 0;
    }
    forget(taken);
    if (!failed)
        return Py_BuildValue("(NNN)", errors, logs, rows);
    Py_XDECREF(errors);
    Py_XDECREF(logs);
    Py_XDECREF(rows);
    return NULL;
}

/* --- the module */

static PyMethodDef client_methods[] = {
    {"read", (PyCFunction)client_read, METH_VARARGS, NULL},
    {"produce", (PyCFunction)client_produce, METH_VARARGS, NULL},
    {"notices", (PyCFunction)client_notices, METH_NOARGS, NULL},
    {"close", (PyCFunction)client_close, METH_NOARGS, NULL},
    {0},
};

static PyType_Slot client_slots[] = {
    {Py_tp_methods, client_methods},
    {Py_tp_dealloc, client_dealloc},
    {0},
};

static PyType_Spec client_spec = {
    .name = "millstream.client.librdkafka._columns.Client",
    .basicsize = sizeof(client_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = client_slots,
};

static PyObject *client_type;

/* Finds librdkafka among what the library at a path is linked with. */
static PyObject *load(PyObject *module, PyObject *args) {
    (void)module;
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path))
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* once more: confluent-kafka has it for good */
    if (!library)
        return PyErr_Format(PyExc_ImportError, "%s", dlerror());
    for (size_t at = 0; at < sizeof SYMBOLS / sizeof *SYMBOLS; at++) {
        void *found = dlsym(library, SYMBOLS[at].name);
        if (!found)
            return PyErr_Format(PyExc_ImportError, "%s has no %s", path, SYMBOLS[at].name);
        memcpy(SYMBOLS[at].place, &found, sizeof found);
    }
    Py_RETURN_NONE;
}

/* Whether `read` calls nothing of confluent-kafka's: `on_new` has seen to it. */
static int is_readable(rd_kafka_t *rk) {
    const rd_kafka_conf_t *conf = rd_kafka.conf(rk);
    return has_callback(conf, "error_cb", (uintptr_t)on_error) && has_callback(conf, "log_cb", (uintptr_t)on_log);
}

/* The Client of one of confluent-kafka's that was made with this as its plugin. None where it wasn't, and for a
 * consumer whose user has callbacks: it is confluent-kafka's to make them. */
static PyObject *attached(PyObject *module, PyObject *owner) {
    (void)module;
    const rd_kafka_t *rk = NULL;
    pthread_mutex_lock(&notices_lock);
    for (notice_t *at = notices; at && !rk; at = at->next)
        if (at->kind == MADE && at->opaque == owner) /* the newest, should there have been one at the same address */
            rk = at->rk;
    pthread_mutex_unlock(&notices_lock);
    if (!rk)
        Py_RETURN_NONE;
    forget(take_notices(rk, 1));
    if (rd_kafka.type(rk) == CONSUMER && !is_readable((rd_kafka_t *)rk))
        Py_RETURN_NONE;
    allocfunc allocate = (allocfunc)PyType_GetSlot((PyTypeObject *)client_type, Py_tp_alloc);
    client_t *client = (client_t *)allocate((PyTypeObject *)client_type, 0);
    if (client) {
        client->owner = Py_NewRef(owner);
        client->rk = (rd_kafka_t *)rk;
    }
    return (PyObject *)client;
}

static PyMethodDef functions[] = {
    {"load", load, METH_VARARGS, NULL},
    {"attached", attached, METH_O, NULL},
    {0},
};

static int prepare(PyObject *module) {
    if (!client_type && !(client_type = PyType_FromSpec(&client_spec)))
        return -1;
    return PyModule_AddObjectRef(module, "Client", client_type);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, prepare}, {0}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_columns", .m_size = 0, .m_methods = functions, .m_slots = module_slots};

#pragma GCC visibility pop

PyMODINIT_FUNC PyInit__columns(void) { return PyModuleDef_Init(&definition); }
