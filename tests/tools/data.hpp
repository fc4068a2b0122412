// The files of tests/data, line by line.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace support {

inline std::string read_file(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The lines of tests/data/<name>; empty if there is no such file.
inline std::vector<std::string> data_lines(std::string const& name) {
    std::ifstream file(std::string(SOCKETLESS_TEST_DATA) + "/" + name, std::ios::binary);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(std::move(line));
    return all;
}

} // namespace support
