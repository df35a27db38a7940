#!/bin/bash
echo one
((
