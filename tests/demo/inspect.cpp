// inspect: prints a capture of a client and a server, decoded, and whether it encodes to the very same bytes again.
//
//     c++ -std=c++20 -I include -I tests tests/demo/inspect.cpp -o inspect
//     ./inspect tests/data/captures/upgrade.jsonl

#include "demo/capture.hpp"
#include "demo/inspector.hpp"
#include "demo/page.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>

namespace {

using namespace demo;

enum class outcome : std::uint8_t { same = 0, differs = 1, unreadable = 2 };

outcome inspect(page& out, char const* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::cerr << "inspect: " << path << ": cannot be opened\n";
        return outcome::unreadable;
    }
    capture_reader capture;
    if (!capture.read(file)) {
        std::cerr << "inspect: " << path << ": " << capture.complaint() << '\n';
        return outcome::unreadable;
    }
    auto const& happenings = capture.happenings();
    auto const summary =
        std::to_string(happenings.size()) + " happenings in " + std::to_string(happenings.back().time) + " ms";
    out.row({{style::strong, path}, {style::dim, "· " + summary}});
    out.gap();
    inspector inspector(out);
    inspector.show_titles();
    for (happening const& h : happenings) inspector.show(h);
    out.gap();
    bool const is_same = inspector.conclude();
    inspector.show_tallies();
    return is_same ? outcome::same : outcome::differs;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: inspect CAPTURE.jsonl...\n\n"
                     "Prints captures of a client and a server, decoded, and encodes them again. The exit\n"
                     "status is 0 if all bytes are the recorded ones, 1 if some differ, 2 if a capture\n"
                     "cannot be read.\n";
        return 2;
    }
    page out(wants_colour());
    outcome worst = outcome::same;
    for (int i = 1; i != argc; ++i) {
        if (i != 1) out.gap();
        worst = std::max(worst, inspect(out, argv[i]));
    }
    return static_cast<int>(worst);
}
