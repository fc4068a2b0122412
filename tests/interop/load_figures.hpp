// What load_generator.cpp measures: durations, and what processes use.
#pragma once

#include <socketless/json/writer.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

// Durations, counted in buckets that are at most 1/64 wide: their number does not grow with what is counted.
class histogram {
public:
    void add(std::chrono::nanoseconds d) {
        auto const value = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
        ++counts_[bucket_of(value)];
        ++count_;
        most_ = std::max(most_, value);
    }
    // In microseconds: no more than so many percent took less.
    [[nodiscard]] double percentile(double percent) const {
        auto rest = static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
        for (std::size_t bucket = 0; bucket != counts_.size(); ++bucket) {
            if (counts_[bucket] >= rest) return std::min(end_of(bucket), static_cast<double>(most_)) / 1000;
            rest -= counts_[bucket];
        }
        return static_cast<double>(most_) / 1000;
    }
    friend void write_json(socketless::json::writer& out, histogram const& h) {
        out.begin_object();
        for (auto const& [name, percent] :
             {std::pair("p50", 50.0), std::pair("p90", 90.0), std::pair("p99", 99.0), std::pair("p99_9", 99.9)})
            out.member(std::string_view(name), h.percentile(percent));
        out.member("max", static_cast<double>(h.most_) / 1000).end_object();
    }

private:
    static constexpr unsigned bits = 6; // of a value that its bucket keeps
    static constexpr std::size_t bucket_of(std::uint64_t value) {
        auto const width = static_cast<unsigned>(std::bit_width(value));
        if (width <= bits + 1) return value;
        unsigned const shift = width - bits - 1;
        return (std::size_t{shift} << bits) + (value >> shift);
    }
    static double end_of(std::size_t bucket) {
        if (bucket < (2u << bits)) return static_cast<double>(bucket);
        std::size_t const shift = (bucket >> bits) - 1;
        return std::ldexp(static_cast<double>((bucket & ((1u << bits) - 1)) + (1u << bits) + 1),
                          static_cast<int>(shift));
    }

    std::array<std::uint64_t, (65 - bits) << bits> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t most_ = 0;
};

// What a process has used, in microseconds of CPU time and in bytes.
inline double cpu_of(std::uint32_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 2, text.size())));
    std::string field;
    for (int i = 0; i != 11; ++i) fields >> field;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}
inline double memory_of(std::uint32_t pid) { // smaps_rollup is exact, statm is not
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    std::string word;
    double kibibytes = 0;
    while (file >> word)
        if (word == "Rss:" && file >> kibibytes) break;
    return kibibytes * 1024;
}
inline double own_cpu() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto const microseconds = [](timeval const& t) {
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
    };
    return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}
