// The other side of codec/examples/decode.rs: the same reports inflated and read into the same columns, as a C++ program would do it with
// zlib and libxml2 (SAX2), or with libdeflate and pugixml (in place). Both keep every value: numbers parsed, words as numbers, text copied.
// Run by rivals.py. Prints per report: CPU nanoseconds of inflating and reading, of reading alone, and the sums that both sides must agree on.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <time.h>
#include <vector>

#include <libdeflate.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <pugixml.hpp>
#include <zlib.h>

using View = std::string_view;
using Bytes = std::vector<char>;

[[noreturn]] static void fail(const char *what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

// A list of words with their numbers; found by one probe of a small table.
struct Words {
    struct Word {
        View text;
        uint8_t number;
    };
    std::vector<Word> words;
    std::array<std::vector<uint8_t>, 64> buckets;

    static size_t hash(View text) { return (text.size() * 5 + uint8_t(text.front()) * 3 + uint8_t(text.back())) & 63; }
    Words(std::initializer_list<Word> list) : words(list) {
        for (size_t i = 0; i < words.size(); i++) buckets[hash(words[i].text)].push_back(uint8_t(i));
    }
    uint8_t operator[](View text) const {
        if (!text.empty())
            for (uint8_t i : buckets[hash(text)])
                if (words[i].text == text) return words[i].number;
        fail("a word that is not ours");
    }
    uint8_t optional(View text) const { return text.data() ? (*this)[text] : 255; }
};

#include "words.inc"

// The columns of codec/benches/support/columns.rs.
struct Columns {
    std::array<std::vector<uint64_t>, 18> numbers;
    std::array<std::vector<uint8_t>, 17> words;
    struct Text {
        Bytes bytes;
        std::vector<uint32_t> ends;
    };
    std::array<Text, 27> texts;
    uint64_t rows = 0, sealed_uptime_ms = 0;

    void clear() {
        for (auto &column : numbers) column.clear();
        for (auto &column : words) column.clear();
        for (auto &column : texts) column.bytes.clear(), column.ends.clear();
        rows = 0;
    }
    void number(int column, uint64_t value) { numbers[column].push_back(value); }
    void word(int column, uint8_t value) { words[column].push_back(value); }
    void text(int column, View value) {
        auto &to = texts[column];
        to.bytes.insert(to.bytes.end(), value.begin(), value.end());
        to.ends.push_back(uint32_t(to.bytes.size()));
    }
};

static uint64_t decimal(View text) {
    uint64_t number = 0;
    for (char c : text) {
        if (c < '0' || c > '9') fail("not a number");
        number = number * 10 + uint64_t(c - '0');
    }
    return number;
}
static uint64_t optional(View text) { return text.data() ? decimal(text) : UINT64_MAX; }

// 2026-11-21T10:41:00.000Z in milliseconds of Unix time.
static uint64_t timestamp(View t) {
    if (t.size() != 24) fail("not a timestamp");
    auto two = [&](int at) { return int64_t(t[at] - '0') * 10 + (t[at + 1] - '0'); };
    int64_t year = two(0) * 100 + two(2), month = two(5), day = two(8);
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    int64_t seconds = days * 86400 + two(11) * 3600 + two(14) * 60 + two(17);
    return uint64_t(seconds * 1000 + two(20) * 10 + (t[22] - '0'));
}

static uint64_t level(View text) {
    if (text == "some") return 2ull << 32;
    if (text == "unknown") return 3ull << 32;
    if (text == "unlimited") return 4ull << 32;
    if (text.back() == '%') return 1ull << 32 | decimal(text.substr(0, text.size() - 1));
    return decimal(text);
}

template <class F> static void each_word(View list, F f) {
    while (list.data() && !list.empty()) {
        size_t end = std::min(list.find(' '), list.size());
        f(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
}

enum Element { REPORT, DEVICE, IDENTITY, STATUS, METERS, METER, PART, SUPPLIES, SUPPLY, TRAYS, TRAY, ALERTS, ALERT };

struct Shape {
    View name;
    std::vector<View> attributes;
};
static const std::array<Shape, 13> SHAPES{{
    {"report", {"version", "agent", "epoch", "stream", "sequence", "sealed_at", "sealed_uptime_ms", "program"}},
    {"device", {"handle", "base", "observed_at", "age_ms", "source", "meter_set", "unchanged"}},
    {"identity",
     {"serial", "manufacturer", "model", "hostname", "dns_name", "address", "mac", "location", "contact", "firmware", "description", "object_id",
      "asset", "profile"}},
    {"status", {"device", "printer", "errors", "uptime_ticks", "display"}},
    {"meters", {"only"}},
    {"meter", {"work", "colour", "unit", "size", "sides", "basis", "oid", "value"}},
    {"part", {"oid", "value"}},
    {"supplies", {"only"}},
    {"supply", {"index", "class", "type", "colorant", "description", "part", "serial", "unit", "capacity", "resolution", "level"}},
    {"trays", {"only"}},
    {"tray", {"index", "name", "type", "media", "unit", "capacity", "status", "level"}},
    {"alerts", {"only"}},
    {"alert", {"index", "severity", "group", "group_index", "code", "description", "since"}},
}};

static Element element_of(View name) {
    switch (name[0]) {
    case 'r': return REPORT;
    case 'd': return DEVICE;
    case 'i': return IDENTITY;
    case 'p': return PART;
    case 's': return name == "supply" ? SUPPLY : name == "status" ? STATUS : SUPPLIES;
    case 'm': return name == "meter" ? METER : METERS;
    case 't': return name == "tray" ? TRAY : TRAYS;
    case 'a': return name == "alert" ? ALERT : ALERTS;
    }
    fail("an element that is not ours");
}

// The values of a start tag by slot. Attributes come in their order mostly, so the search goes on from the last.
struct Values {
    std::array<View, 14> values;
    const Shape *shape;
    size_t next = 0;

    explicit Values(Element element) : shape(&SHAPES[element]) {}
    void put(View name, View value) {
        size_t count = shape->attributes.size();
        for (size_t tried = 0; tried < count; tried++, next++) {
            if (next == count) next = 0;
            if (shape->attributes[next] == name) {
                values[next++] = value;
                return;
            }
        }
        fail("an attribute that is not ours");
    }
    View operator[](size_t slot) const { return values[slot]; }
};

static const Words SECTIONS{{"status", 0}, {"meters", 4}, {"supplies", 8}, {"trays", 12}, {"alerts", 16}};

struct Reader {
    Columns &to;
    // An unchanged section is told after the identity.
    View unchanged;
    std::string unchanged_kept;

    void section(uint8_t kind, View only) { to.word(0, uint8_t(kind + (only.data() ? 1 : 2))); }

    void take(Element element, const Values &v) {
        switch (element) {
        case REPORT: to.sealed_uptime_ms = decimal(v[6]); return;
        case DEVICE: {
            to.text(0, v[0]);
            to.number(2, v[1].data() ? decimal(v[1]) : 0);
            to.number(0, timestamp(v[2]));
            View age = v[3];
            uint64_t age_ms = age[0] == '-' ? 0 - decimal(age.substr(1)) : decimal(age);
            to.number(1, to.sealed_uptime_ms - age_ms);
            to.word(15, SourceKind.optional(v[4]));
            to.word(16, MeterSet.optional(v[5]));
            unchanged_kept.assign(v[6].data() ? v[6] : View(""));
            break;
        }
        case IDENTITY:
            for (int slot = 0; slot < 14; slot++) to.text(1 + slot, v[slot].data() ? v[slot] : View(""));
            each_word(unchanged_kept, [&](View word) { to.word(0, SECTIONS[word]); });
            break;
        case STATUS: {
            section(0, {});
            to.word(1, DeviceStatus.optional(v[0]));
            to.word(2, PrinterStatus.optional(v[1]));
            uint64_t errors = 0;
            each_word(v[2], [&](View word) { errors |= 1u << ErrorState[word]; });
            to.number(3, errors);
            to.number(4, optional(v[3]));
            to.text(15, v[4]);
            break;
        }
        case METERS: return section(4, v[0]);
        case SUPPLIES: return section(8, v[0]);
        case TRAYS: return section(12, v[0]);
        case ALERTS: return section(16, v[0]);
        case METER:
            to.word(3, Work[v[0]]);
            to.word(4, Colour[v[1]]);
            to.word(5, MeterUnit[v[2]]);
            to.text(17, v[3]);
            to.word(6, Sides.optional(v[4]));
            to.word(7, Basis[v[5]]);
            to.text(16, v[6]);
            to.number(5, decimal(v[7]));
            break;
        case PART:
            to.text(18, v[0]);
            to.number(6, decimal(v[1]));
            break;
        case SUPPLY:
            to.number(7, decimal(v[0]));
            to.word(8, SupplyClass[v[1]]);
            to.word(9, SupplyType[v[2]]);
            to.word(10, Colorant.optional(v[3]));
            to.text(19, v[4]);
            to.text(20, v[5]);
            to.text(21, v[6]);
            to.word(11, CapacityUnit[v[7]]);
            to.number(8, optional(v[8]));
            to.number(16, optional(v[9]));
            to.number(9, level(v[10]));
            break;
        case TRAY:
            to.number(10, decimal(v[0]));
            to.text(22, v[1]);
            to.word(12, TrayType[v[2]]);
            to.text(23, v[3]);
            to.word(13, CapacityUnit[v[4]]);
            to.number(11, optional(v[5]));
            to.number(13, optional(v[6]));
            to.number(12, level(v[7]));
            break;
        case ALERT:
            to.number(14, decimal(v[0]));
            to.word(14, AlertSeverity[v[1]]);
            to.text(24, v[2]);
            to.number(15, optional(v[3]));
            to.text(25, v[4]);
            to.text(26, v[5]);
            to.number(17, v[6].data() ? timestamp(v[6]) : UINT64_MAX);
            break;
        }
        to.rows++;
    }
};

// libxml2: SAX2, values as it hands them over; those with an escape come resolved.
static void sax_start(void *reader, const xmlChar *name, const xmlChar *, const xmlChar *, int, const xmlChar **, int count, int,
                      const xmlChar **attributes) {
    Element element = element_of(View(reinterpret_cast<const char *>(name)));
    Values values(element);
    for (int i = 0; i < count; i++, attributes += 5) {
        auto begin = reinterpret_cast<const char *>(attributes[3]), end = reinterpret_cast<const char *>(attributes[4]);
        values.put(View(reinterpret_cast<const char *>(attributes[0])), View(begin, size_t(end - begin)));
    }
    static_cast<Reader *>(reader)->take(element, values);
}

static void read_libxml2(const char *text, size_t length, Columns &to) {
    static xmlSAXHandler handler = [] {
        xmlSAXHandler handler{};
        handler.initialized = XML_SAX2_MAGIC;
        handler.startElementNs = sax_start;
        return handler;
    }();
    Reader reader{to, {}, {}};
    if (xmlSAXUserParseMemory(&handler, &reader, text, int(length)) != 0) fail("libxml2 refused a report");
}

// pugixml: a tree in the buffer itself, then a walk through it. Escapes are resolved and white space of attributes normalised, as XML wants it.
static void walk(const pugi::xml_node &node, Reader &reader) {
    Element element = element_of(node.name());
    Values values(element);
    for (const auto &attribute : node.attributes()) values.put(attribute.name(), attribute.value());
    reader.take(element, values);
    for (const auto &child : node.children()) walk(child, reader);
}

static void read_pugixml(char *text, size_t length, Columns &to) {
    pugi::xml_document document;
    if (!document.load_buffer_inplace(text, length, pugi::parse_escapes | pugi::parse_wconv_attribute, pugi::encoding_utf8))
        fail("pugixml refused a report");
    Reader reader{to, {}, {}};
    walk(document.document_element(), reader);
}

static size_t inflate_zlib(const Bytes &sealed, Bytes &to) {
    static z_stream stream = [] {
        z_stream stream{};
        if (inflateInit2(&stream, 15 + 16) != Z_OK) fail("zlib");
        return stream;
    }();
    inflateReset(&stream);
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(sealed.data()));
    stream.avail_in = uInt(sealed.size());
    stream.next_out = reinterpret_cast<Bytef *>(to.data());
    stream.avail_out = uInt(to.size());
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END) fail("zlib cannot inflate a report");
    return to.size() - stream.avail_out;
}

static size_t inflate_libdeflate(const Bytes &sealed, Bytes &to) {
    static libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    size_t length = 0;
    if (libdeflate_gzip_decompress(decompressor, sealed.data(), sealed.size(), to.data(), to.size(), &length) != LIBDEFLATE_SUCCESS)
        fail("libdeflate cannot inflate a report");
    return length;
}

static double on_cpu() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

template <class F> static double measure(F work) {
    constexpr int ROUNDS = 8;
    constexpr double MEASURED_NS = 400e6;
    work();
    double best = 1e300;
    for (int round = 0; round < ROUNDS; round++) {
        double began = on_cpu(), took = 0;
        int calls = 0;
        while (took < MEASURED_NS / ROUNDS) {
            for (int i = 0; i < 8; i++) work();
            calls += 8;
            took = on_cpu() - began;
        }
        best = std::min(best, took / calls);
    }
    return best;
}

static Bytes file(const std::filesystem::path &path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

int main(int argc, char **argv) {
    bool is_pugixml = argc == 3 && View(argv[1]) == "pugixml";
    if (argc != 3 || (!is_pugixml && View(argv[1]) != "libxml2")) fail("usage: rivals libxml2|pugixml DIR");
    std::vector<std::filesystem::path> paths;
    for (const auto &entry : std::filesystem::directory_iterator(argv[2]))
        if (entry.path().extension() == ".gz") paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    Columns columns;
    for (const auto &path : paths) {
        Bytes sealed = file(path), plain = file(path.parent_path() / path.stem());
        Bytes buffer(plain.size() + 64);
        auto read = [&](char *text, size_t length) {
            columns.clear();
            is_pugixml ? read_pugixml(text, length, columns) : read_libxml2(text, length, columns);
        };
        double whole = measure([&] {
            size_t length = is_pugixml ? inflate_libdeflate(sealed, buffer) : inflate_zlib(sealed, buffer);
            read(buffer.data(), length);
        });
        // In place: pugixml needs a fresh copy each time, which is taken out of its time again.
        double copy = is_pugixml ? measure([&] { std::memcpy(buffer.data(), plain.data(), plain.size()); }) : 0;
        double parse = measure([&] {
            if (is_pugixml) std::memcpy(buffer.data(), plain.data(), plain.size());
            read(is_pugixml ? buffer.data() : plain.data(), plain.size());
        });
        uint64_t numbers = 0, words = 0, bytes = 0;
        for (const auto &column : columns.numbers)
            for (uint64_t number : column) numbers += number;
        for (const auto &column : columns.words)
            for (uint8_t word : column) words += word;
        for (const auto &column : columns.texts) bytes += column.bytes.size();
        std::printf("%s %.0f %.0f %llu %llu %llu %llu\n", path.stem().stem().c_str(), whole, parse - copy, (unsigned long long)columns.rows,
                    (unsigned long long)numbers, (unsigned long long)words, (unsigned long long)bytes);
    }
}
